# Counters add up over the pushes of a group, series by series; gauges are replaced; histograms add up with their buckets.
# From: issue text, "merge policies"; users' wishes in spec of Pushgateway 10.
policy: counter=sum,histogram=sum
PUT /metrics/job/batch
  # TYPE c counter
  c{x="1"} 1
  c{x="2"} 2
  # TYPE g gauge
  g 1
  # TYPE h histogram
  h_bucket{le="1"} 1
  h_count 2
  h_sum 3
POST /metrics/job/batch
  # TYPE c counter
  c{x="2"} 3
  c{x="3"} 4
  # TYPE g gauge
  g 5
  # TYPE h histogram
  h_bucket{le="1"} 10
  h_count 20
  h_sum 30
GET
  # TYPE c counter
  c{instance="",job="batch",x="1"} 1
  c{instance="",job="batch",x="2"} 5
  c{instance="",job="batch",x="3"} 4
  # TYPE g gauge
  g{instance="",job="batch"} 5
  # TYPE h histogram
  h_bucket{instance="",job="batch",le="1"} 11
  h_bucket{instance="",job="batch",le="+Inf"} 22
  h_sum{instance="",job="batch"} 33
  h_count{instance="",job="batch"} 22
PUT /metrics/job/batch
  # TYPE c counter
  c{x="1"} 1
GET
  # TYPE c counter
  c{instance="",job="batch",x="1"} 2
  c{instance="",job="batch",x="2"} 5
  c{instance="",job="batch",x="3"} 4
