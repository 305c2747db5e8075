# A +Inf bucket that was pushed is shown as it is, even if it is not the count.
# From: spec of Pushgateway 4.3.
PUT /metrics/job/batch
  # TYPE h histogram
  h_bucket{le="+Inf"} 2
  h_sum 1
  h_count 3
GET
  # TYPE h histogram
  h_bucket{instance="",job="batch",le="+Inf"} 2
  h_sum{instance="",job="batch"} 1
  h_count{instance="",job="batch"} 3
