# The same bound twice, in one spelling or two, or with a bucket that lacks the suffix. Pushgateway shows both.
# From: spec of Pushgateway 4.1 and 8; a series has one value.
PUT /metrics/job/batch
  # TYPE h histogram
  h_bucket{le="1"} 1
  h_bucket{le="1.0"} 1
-> refused duplicate-bucket@3:1
PUT /metrics/job/batch
  # TYPE h histogram
  h_bucket{le="1"} 1
  h{le="1"} 1
-> refused duplicate-bucket@3:1
PUT /metrics/job/batch
  # TYPE s summary
  s{quantile="0.5"} 1
  s{quantile="0.50"} 1
-> refused duplicate-sample@3:1
PUT /metrics/job/batch
  # TYPE s summary
  s_sum 1
  s_sum 2
-> refused duplicate-sample@3:1
GET
