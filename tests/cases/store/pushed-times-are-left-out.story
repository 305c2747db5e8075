# The times of a group cannot be pushed. Pushgateway takes the time of a failure from the second push on.
# Where no group expires, the time of that is a family like others.
# From: spec of Pushgateway 2.2 and 12.3.
PUT /metrics/job/batch
  push_time_seconds 1
  push_failure_time_seconds 2
  push_expiry_time_seconds 3
  a 1
-> warned reserved-family reserved-family
POST /metrics/job/batch
  # TYPE push_failure_time_seconds counter
  push_failure_time_seconds 2
-> warned reserved-family
GET a push_failure_time_seconds push_expiry_time_seconds
  # TYPE a untyped
  a{instance="",job="batch"} 1
  # TYPE push_expiry_time_seconds untyped
  push_expiry_time_seconds{instance="",job="batch"} 3
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="batch"} 0
