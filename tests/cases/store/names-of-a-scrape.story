# A scrape may ask for families by name; what is not there is left out.
# From: issue text, "a name filter (name[])"; spec of Pushgateway 4.5, last line.
PUT /metrics/job/batch
  a 1
  b 1
  c 1
GET c a nothing
  # TYPE a untyped
  a{instance="",job="batch"} 1
  # TYPE c untyped
  c{instance="",job="batch"} 1
