# A group expires after its lifetime unless it is pushed again; a lifetime of its own goes before the store's, 0 is none.
# From: issue text, "lifetime"; users' wishes in spec of Pushgateway 10.
lifetime: 60
PUT /metrics/job/a
  m 1
PUT /metrics/job/b lifetime=10
  m 1
PUT /metrics/job/c lifetime=0
  m 1
GET push_expiry_time_seconds
  # HELP push_expiry_time_seconds Unix time when this group will expire unless it is pushed again.
  # TYPE push_expiry_time_seconds gauge
  push_expiry_time_seconds{instance="",job="a"} 1.50000006e+09
  push_expiry_time_seconds{instance="",job="b"} 1.50000001e+09
AT 1500000009
GET
  # TYPE m untyped
  m{instance="",job="a"} 1
  m{instance="",job="b"} 1
  m{instance="",job="c"} 1
AT 1500000010
GET
  # TYPE m untyped
  m{instance="",job="a"} 1
  m{instance="",job="c"} 1
AT 1500000050
POST /metrics/job/a
  n 1
AT 1500000060
GET
  # TYPE m untyped
  m{instance="",job="a"} 1
  m{instance="",job="c"} 1
  # TYPE n untyped
  n{instance="",job="a"} 1
AT 1500000110
GET
  # TYPE m untyped
  m{instance="",job="c"} 1
DELETE /metrics/job/a
-> 0
AT 1900000000
GET m push_expiry_time_seconds
  # TYPE m untyped
  m{instance="",job="c"} 1
