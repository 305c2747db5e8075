# Families that would be read as part of another group's histogram or summary, and the other way round.
# From: spec of Pushgateway 3.2 (c).
PUT /metrics/job/a
  # TYPE s summary
  s_count 1
  # TYPE h histogram
  h_count 1
PUT /metrics/job/b
  s_count 1
-> refused suffix-collision@1:1
PUT /metrics/job/b
  # TYPE h_bucket gauge
  h_bucket 1
-> refused suffix-collision@1:8
PUT /metrics/job/b
  s_bucket 1
PUT /metrics/job/b
  x_sum 1
PUT /metrics/job/c
  # TYPE x summary
  x_sum 1
-> refused suffix-collision@1:8
PUT /metrics/job/b
PUT /metrics/job/c
  # TYPE x summary
  x_sum 1
GET x
  # TYPE x summary
  x_sum{instance="",job="c"} 1
  x_count{instance="",job="c"} 0
# A family may collide with one of the very same series.
PUT /metrics/job/d
  # TYPE x_sum gauge
  x_sum{job="c"} 1
-> refused suffix-collision@1:8
PUT /metrics/job/c/zone/z
  # TYPE y summary
  y_sum 1
PUT /metrics/job/c
  # TYPE y_sum gauge
  y_sum{zone="z"} 1
-> refused suffix-collision@1:8
