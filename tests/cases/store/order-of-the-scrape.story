# Families by name; series by the number of labels, then by values, in the order of the names of their labels.
# From: spec of Pushgateway 4.1.
PUT /metrics/job/batch
  m{c="1"} 1
  m{b="10"} 2
  m{b="2"} 3
  m{a="9"} 4
  m 5
  B 1
PUT /metrics/job/aaa
  m{z="0"} 6
GET
  # TYPE B untyped
  B{instance="",job="batch"} 1
  # TYPE m untyped
  m{instance="",job="batch"} 5
  m{instance="",job="aaa",z="0"} 6
  m{c="1",instance="",job="batch"} 1
  m{b="10",instance="",job="batch"} 2
  m{b="2",instance="",job="batch"} 3
  m{a="9",instance="",job="batch"} 4
