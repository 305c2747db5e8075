# A label with an empty value is another series than without it.
# From: spec of Pushgateway 3.1, last line.
PUT /metrics/job/batch
  a{b=""} 1
  a 2
GET
  # TYPE a untyped
  a{instance="",job="batch"} 2
  a{b="",instance="",job="batch"} 1
