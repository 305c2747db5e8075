# A push of nothing is a push: it empties the group, and sets its time; families without samples are none.
# From: spec of Pushgateway 2.2, "Empty body"; its storage test of an empty replace.
PUT /metrics/job/batch
  a 1
AT 1500000001
PUT /metrics/job/batch
  # HELP b Nothing.
  # TYPE b gauge
GET
GET push_time_seconds
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="",job="batch"} 1.500000001e+09
PUT /metrics/job/other
GET push_time_seconds
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="",job="batch"} 1.500000001e+09
  push_time_seconds{instance="",job="other"} 1.500000001e+09
