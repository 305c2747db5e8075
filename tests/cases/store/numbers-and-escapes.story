# Numbers are spelled as Go does, and text escaped as little as can be.
# From: spec of Pushgateway 4.2 and 4.4.
PUT /metrics/job/batch
  # HELP a One \\ two\nthree "four"
  a{x="\"\\\n	é"} 1000000
  b 0.00001
  c -0
  d 123456.5
  e NaN
  f -inf
GET
  # HELP a One \\ two\nthree "four"
  # TYPE a untyped
  a{instance="",job="batch",x="\"\\\n	é"} 1e+06
  # TYPE b untyped
  b{instance="",job="batch"} 1e-05
  # TYPE c untyped
  c{instance="",job="batch"} 0
  # TYPE d untyped
  d{instance="",job="batch"} 123456.5
  # TYPE e untyped
  e{instance="",job="batch"} NaN
  # TYPE f untyped
  f{instance="",job="batch"} -Inf
