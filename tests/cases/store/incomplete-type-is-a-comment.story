# A TYPE line without a type is a comment, also in a push that is refused for something else.
# From: spec of Pushgateway 8, "Comments".
PUT /metrics/job/batch
  # TYPE a
  a 1
PUT /metrics/job/batch
  # TYPE
  a 1
  a 2
-> refused duplicate-sample@3:1
GET a
  # TYPE a untyped
  a{instance="",job="batch"} 1
