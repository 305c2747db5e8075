# The type of a family that no other group has may change with any push of the group.
# From: spec of Pushgateway 3.2, last paragraph.
PUT /metrics/job/batch
  # TYPE a gauge
  a 1
POST /metrics/job/batch
  # TYPE a counter
  a 2
GET
  # TYPE a counter
  a{instance="",job="batch"} 2
PUT /metrics/job/batch
  # TYPE a_count gauge
  a_count 1
PUT /metrics/job/batch
  # TYPE a summary
  a_count 1
GET
  # TYPE a summary
  a_sum{instance="",job="batch"} 0
  a_count{instance="",job="batch"} 1
