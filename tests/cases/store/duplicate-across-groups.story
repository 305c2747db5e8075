# A series belongs to one group; who pushes it from another one is refused until that one is gone.
# From: spec of Pushgateway 3.2 (i); its storage test of duplicate series in another group.
PUT /metrics/job/batch/instance/a
  m 1
PUT /metrics/job/batch
  n 1
  m{instance="a"} 2
-> refused duplicate-sample@2:1
GET
  # TYPE m untyped
  m{instance="a",job="batch"} 1
DELETE /metrics/job/batch/instance/a
-> 1
PUT /metrics/job/batch
  m{instance="a"} 2
GET
  # TYPE m untyped
  m{instance="a",job="batch"} 2
PUT /metrics/job/batch/instance/a
  m 1
-> refused duplicate-sample@1:1
