# Histograms that are to be added up must agree on their bounds, and families on their type.
# From: issue text, "histograms must agree on bounds"; lessons in spec of Pushgateway 9.3.
policy: sum
PUT /metrics/job/batch
  # TYPE h histogram
  h_bucket{le="1"} 1
  h_count 2
  c 1
POST /metrics/job/batch
  c 1
  # TYPE h histogram
  h_bucket{le="2"} 1
  h_count 2
-> refused bucket-bounds-conflict
POST /metrics/job/batch
  # TYPE c counter
  c 1
-> refused type-conflict
GET
  # TYPE c untyped
  c{instance="",job="batch"} 1
  # TYPE h histogram
  h_bucket{instance="",job="batch",le="1"} 1
  h_bucket{instance="",job="batch",le="+Inf"} 2
  h_sum{instance="",job="batch"} 0
  h_count{instance="",job="batch"} 2
