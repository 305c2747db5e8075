# A wipe forgets all groups, and frees what they held.
# From: Pushgateway's README, "Admin API"; its handler test of the wipe.
PUT /metrics/job/a
  # TYPE m gauge
  m 1
PUT /metrics/job/b
  # TYPE m gauge
  m 1
WIPE
-> 2
GET
WIPE
-> 0
PUT /metrics/job/a
  # TYPE m counter
  m 1
GET
  # TYPE m counter
  m{instance="",job="a"} 1
