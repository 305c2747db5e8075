# What has expired conflicts with nothing, even if nobody has looked since.
# From: issue text, "expiry by the injected clock".
lifetime: 60
PUT /metrics/job/batch/instance/a
  # TYPE m gauge
  m 1
AT 1500000060
PUT /metrics/job/batch
  # TYPE m counter
  m{instance="a"} 1
GET
  # TYPE m counter
  m{instance="a",job="batch"} 1
