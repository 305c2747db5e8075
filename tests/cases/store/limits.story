# What is too much is refused, and nothing of it stored, not even as a failure.
# From: issue text, "limits".
limits: groups=2 series=4 push_series=3 label_value_bytes=5 body_bytes=60
PUT /metrics/job/a
  m{x="1"} 1
  m{x="2"} 1
PUT /metrics/job/b
  m{x="1"} 1
PUT /metrics/job/c
-> refused too-many-groups
PUT /metrics/job/c
  m 1 1
-> refused explicit-timestamp
POST /metrics/job/b
  n{x="1"} 1
  n{x="2"} 1
-> refused store-full
PUT /metrics/job/b
  n{x="1"} 1
  n{x="2"} 1
PUT /metrics/job/b
  n{x="1"} 1
  n{x="2"} 1
  n{x="3"} 1
  n{x="4"} 1
-> refused too-many-series
PUT /metrics/job/b
  n 1
  n{x="123456"} 1
-> refused label-value-too-long@2:1
PUT /metrics/job/123456
  n 1
-> refused label-value-too-long
PUT /metrics/job/b
  # This comment makes the body longer than sixty bytes are, which it may be.
-> refused body-too-large
GET m n push_failure_time_seconds
  # TYPE m untyped
  m{instance="",job="a",x="1"} 1
  m{instance="",job="a",x="2"} 1
  # TYPE n untyped
  n{instance="",job="b",x="1"} 1
  n{instance="",job="b",x="2"} 1
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="a"} 0
  push_failure_time_seconds{instance="",job="b"} 0
