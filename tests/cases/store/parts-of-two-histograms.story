# Samples of two histograms that only the labels of the group make one are not taken for one.
# From: spec of Pushgateway 3.1, last paragraph; found by comparison with it.
PUT /metrics/job/batch
  # TYPE h histogram
  h_sum{job="x"} 1
  h_count{job="y"} 1
-> refused duplicate-sample@3:1
PUT /metrics/job/batch
  # TYPE s summary
  s_sum 1
  s_count{instance=""} 1
-> refused duplicate-sample@3:1
PUT /metrics/job/batch
  # TYPE s summary
  s_sum{job="x"} 1
  s_count{job="x"} 1
GET
  # TYPE s summary
  s_sum{instance="",job="batch"} 1
  s_count{instance="",job="batch"} 1
