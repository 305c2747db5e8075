# A PUT lets the group have these families and no others.
# From: Pushgateway's README, "PUT method"; its storage test of replace mode.
PUT /metrics/job/batch
  # TYPE a gauge
  a 1
  # TYPE b counter
  b{x="1"} 2
PUT /metrics/job/batch
  # TYPE b counter
  b{x="2"} 3
GET
  # TYPE b counter
  b{instance="",job="batch",x="2"} 3
