# Families may be mixed in the body of a push, and types be spelled in capitals.
# From: spec of Pushgateway 8, "Comments".
PUT /metrics/job/batch
  # TYPE a COUNTER
  a{x="1"} 1
  b 1
  a{x="2"} 2
  # HELP a Late.
GET
  # HELP a Late.
  # TYPE a counter
  a{instance="",job="batch",x="1"} 1
  a{instance="",job="batch",x="2"} 2
  # TYPE b untyped
  b{instance="",job="batch"} 1
