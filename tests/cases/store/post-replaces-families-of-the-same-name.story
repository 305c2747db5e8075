# A POST lets the families that it does not name be, and replaces the others as a whole: their series are not merged.
# From: Pushgateway's README, "POST method"; spec of Pushgateway 2.2.
PUT /metrics/job/batch
  a 1
  b{x="1"} 2
POST /metrics/job/batch
  b{x="2"} 3
GET
  # TYPE a untyped
  a{instance="",job="batch"} 1
  # TYPE b untyped
  b{instance="",job="batch",x="2"} 3
