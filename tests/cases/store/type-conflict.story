# A family has one type in all groups. Nothing of a refused push is stored, and the rest of the group stays.
# From: spec of Pushgateway 3.2 (d); issue text, "type conflicts".
PUT /metrics/job/a
  # TYPE m counter
  m 1
PUT /metrics/job/b
  n 1
PUT /metrics/job/b
  o 1
  # TYPE m gauge
  m 1
-> refused type-conflict@2:10
PUT /metrics/job/b
  m 1
-> refused type-conflict@1:1
GET
  # TYPE m counter
  m{instance="",job="a"} 1
  # TYPE n untyped
  n{instance="",job="b"} 1
