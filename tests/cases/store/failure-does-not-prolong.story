# A refused push does not keep a group alive; a group that never was pushed expires after its last failure.
# From: issue text, "lifetime".
lifetime: 60
PUT /metrics/job/a
  m 1
AT 1500000030
PUT /metrics/job/a
  m 1 1
-> refused explicit-timestamp
PUT /metrics/job/b
  m 1 1
-> refused explicit-timestamp
GET push_expiry_time_seconds
  # HELP push_expiry_time_seconds Unix time when this group will expire unless it is pushed again.
  # TYPE push_expiry_time_seconds gauge
  push_expiry_time_seconds{instance="",job="a"} 1.50000006e+09
  push_expiry_time_seconds{instance="",job="b"} 1.50000009e+09
AT 1500000060
GET push_failure_time_seconds
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="b"} 1.50000003e+09
AT 1500000090
GET push_failure_time_seconds
