# A DELETE forgets the group with exactly this key, its times included, and none that has more labels.
# From: Pushgateway's README, "DELETE method"; spec of Pushgateway 2.2.
PUT /metrics/job/batch
  a 1
PUT /metrics/job/batch/instance/x
  a 2
DELETE /metrics/job/batch
-> 1
DELETE /metrics/job/batch
-> 0
GET a push_time_seconds
  # TYPE a untyped
  a{instance="x",job="batch"} 2
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="x",job="batch"} 1.5e+09
