# The help text of the first group in order of keys is shown; others are warned of. A family without help decides nothing.
# From: issue text, "HELP conflicts"; spec of Pushgateway 3.2, where it is the group that comes first in a random order.
PUT /metrics/job/m
  # HELP a Of m.
  a 1
PUT /metrics/job/z
  # HELP a Of z.
  a 1
-> warned help-conflict
PUT /metrics/job/b
  a 1
GET
  # HELP a Of m.
  # TYPE a untyped
  a{instance="",job="b"} 1
  a{instance="",job="m"} 1
  a{instance="",job="z"} 1
PUT /metrics/job/c
  # HELP a Of c.
  a 1
-> warned help-conflict
DELETE /metrics/job/m
-> 1
DELETE /metrics/job/b
-> 1
GET
  # HELP a Of c.
  # TYPE a untyped
  a{instance="",job="c"} 1
  a{instance="",job="z"} 1
DELETE /metrics/job/c
-> 1
GET
  # HELP a Of z.
  # TYPE a untyped
  a{instance="",job="z"} 1
PUT /metrics/job/z
  a 1
GET
  # TYPE a untyped
  a{instance="",job="z"} 1
