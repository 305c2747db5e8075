# Groups are forgotten by their labels: a pattern has to fit all of the value, and a label that is missing is empty.
# From: issue text, "delete by matcher"; users' wishes in spec of Pushgateway 10.
PUT /metrics/job/backup/instance/db1
  a 1
PUT /metrics/job/backup/instance/db2
  a 1
PUT /metrics/job/backup/instance/web1
  a 1
PUT /metrics/job/backup
  b 1
DELETE MATCHING job=backup instance=db.*
-> 2
GET
  # TYPE a untyped
  a{instance="web1",job="backup"} 1
  # TYPE b untyped
  b{instance="",job="backup"} 1
DELETE MATCHING instance=
-> 1
DELETE MATCHING job=back
-> 0
GET
  # TYPE a untyped
  a{instance="web1",job="backup"} 1
