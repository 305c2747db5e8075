# Samples that say nothing in a histogram or summary are dropped, but for their labels, and not in silence.
# A sample with the name of the histogram and a bound is a bucket.
# From: spec of Pushgateway 8, "Suffix attribution".
PUT /metrics/job/batch
  # TYPE h histogram
  h 3
  h{x="1",le="2"} 1
  h_bucket{x="2"} 1
  h_bucket{x="3",le="NaN"} 1
  # TYPE s summary
  s 1
  s{x="1",quantile="NaN"} 1
-> warned stray-sample@2:1 stray-sample@3:1 missing-le@4:1 nan-bound@5:1 missing-quantile@7:1 nan-bound@8:1
GET
  # TYPE h histogram
  h_bucket{instance="",job="batch",le="+Inf"} 0
  h_sum{instance="",job="batch"} 0
  h_count{instance="",job="batch"} 0
  h_bucket{instance="",job="batch",x="1",le="2"} 1
  h_bucket{instance="",job="batch",x="1",le="+Inf"} 0
  h_sum{instance="",job="batch",x="1"} 0
  h_count{instance="",job="batch",x="1"} 0
  h_bucket{instance="",job="batch",x="2",le="+Inf"} 0
  h_sum{instance="",job="batch",x="2"} 0
  h_count{instance="",job="batch",x="2"} 0
  h_bucket{instance="",job="batch",x="3",le="+Inf"} 0
  h_sum{instance="",job="batch",x="3"} 0
  h_count{instance="",job="batch",x="3"} 0
  # TYPE s summary
  s_sum{instance="",job="batch"} 0
  s_count{instance="",job="batch"} 0
  s_sum{instance="",job="batch",x="1"} 0
  s_count{instance="",job="batch",x="1"} 0
