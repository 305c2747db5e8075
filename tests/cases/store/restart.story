# Another store begins where this one ended: families, times, lifetimes, and what they refuse.
# From: Pushgateway's storage test of add, replace, delete, persist and restore; spec of Pushgateway 6.
lifetime: 60
PUT /metrics/job/a
  # HELP m Help.
  # TYPE m counter
  m 1
PUT /metrics/job/b
  n 1
POST /metrics/job/b
  # TYPE s summary
  s_sum 1
DELETE /metrics/job/a
-> 1
PUT /metrics/job/c lifetime=30
  # TYPE m gauge
  m 1
AT 1500000020
PUT /metrics/job/b
  m 1
-> refused type-conflict@1:1
RESTART
GET m n s push_time_seconds push_failure_time_seconds
  # TYPE m gauge
  m{instance="",job="c"} 1
  # TYPE n untyped
  n{instance="",job="b"} 1
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="b"} 1.50000002e+09
  push_failure_time_seconds{instance="",job="c"} 0
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="",job="b"} 1.5e+09
  push_time_seconds{instance="",job="c"} 1.5e+09
  # TYPE s summary
  s_sum{instance="",job="b"} 1
  s_count{instance="",job="b"} 0
PUT /metrics/job/b
  m 1
-> refused type-conflict@1:1
AT 1500000030
RESTART
GET
  # TYPE n untyped
  n{instance="",job="b"} 1
  # TYPE s summary
  s_sum{instance="",job="b"} 1
  s_count{instance="",job="b"} 0
