# Groups may expire after a family was pushed that has the name of the times of that: it is shown until it is gone.
# From: review of the reserved names; to Pushgateway it is a name like others.
PUT /metrics/job/a
  # TYPE push_expiry_time_seconds counter
  push_expiry_time_seconds{x="y"} 3
  push_expiry_time_seconds 4
PUT /metrics/job/b lifetime=10
  m 1
  push_expiry_time_seconds 5
-> warned reserved-family
POST /metrics/job/c
  push_expiry_time_seconds 6
-> warned reserved-family
GET push_expiry_time_seconds
  # TYPE push_expiry_time_seconds counter
  push_expiry_time_seconds{instance="",job="a"} 4
  push_expiry_time_seconds{instance="",job="a",x="y"} 3
RESTART
GET push_expiry_time_seconds
  # TYPE push_expiry_time_seconds counter
  push_expiry_time_seconds{instance="",job="a"} 4
  push_expiry_time_seconds{instance="",job="a",x="y"} 3
PUT /metrics/job/a lifetime=20
  push_expiry_time_seconds 3
-> warned reserved-family
GET push_expiry_time_seconds
  # HELP push_expiry_time_seconds Unix time when this group will expire unless it is pushed again.
  # TYPE push_expiry_time_seconds gauge
  push_expiry_time_seconds{instance="",job="a"} 1.50000002e+09
  push_expiry_time_seconds{instance="",job="b"} 1.50000001e+09
AT 1500000010
PUT /metrics/job/c
  push_expiry_time_seconds 6
-> warned reserved-family
AT 1500000020
PUT /metrics/job/c
  push_expiry_time_seconds 6
GET push_expiry_time_seconds
  # TYPE push_expiry_time_seconds untyped
  push_expiry_time_seconds{instance="",job="c"} 6
