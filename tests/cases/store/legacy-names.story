# Without that, names that need quotes are refused when they are read.
# From: spec of Pushgateway 8, "Names".
PUT /metrics/job/batch
  {"http.requests"} 1
-> refused non-legacy-name@1:2
PUT /metrics/job/batch
  {"a",b="c"} 1
GET
  # TYPE a untyped
  a{b="c",instance="",job="batch"} 1
