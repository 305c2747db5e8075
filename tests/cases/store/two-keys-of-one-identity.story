# A group without instance and one with an empty instance would have the same times: the second one is refused.
# From: spec of Pushgateway 2.2 and 3.2 (i).
PUT /metrics/job/batch
  a 1
PUT /metrics/job/batch/instance/
  b 1
-> refused duplicate-sample
GET a b push_failure_time_seconds
  # TYPE a untyped
  a{instance="",job="batch"} 1
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="batch"} 0
DELETE /metrics/job/batch
-> 1
PUT /metrics/job/batch/instance/
  b 1
GET
  # TYPE b untyped
  b{instance="",job="batch"} 1
