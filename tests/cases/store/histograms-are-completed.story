# What a histogram lacks is added: the bucket of all, the sum, the count. Buckets come in order.
# From: spec of Pushgateway 4.3 and 8, "Suffix attribution".
PUT /metrics/job/batch
  # TYPE h histogram
  h_bucket{le="5"} 2
  h_bucket{le="1.0"} 1
  h_count 3
  h_sum{x="y"} 4.5
GET
  # TYPE h histogram
  h_bucket{instance="",job="batch",le="1"} 1
  h_bucket{instance="",job="batch",le="5"} 2
  h_bucket{instance="",job="batch",le="+Inf"} 3
  h_sum{instance="",job="batch"} 0
  h_count{instance="",job="batch"} 3
  h_bucket{instance="",job="batch",x="y",le="+Inf"} 0
  h_sum{instance="",job="batch",x="y"} 4.5
  h_count{instance="",job="batch",x="y"} 0
