# The time of the last push is that of a refused one, and the other way round, in no respect.
# From: Pushgateway's README, "Metrics provided"; spec of Pushgateway 2.2.
PUT /metrics/job/batch
  a 1
GET push_time_seconds push_failure_time_seconds
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="batch"} 0
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="",job="batch"} 1.5e+09
AT 1500000001
PUT /metrics/job/batch
  a 1 1500000000000
-> refused explicit-timestamp@1:1
GET
  # TYPE a untyped
  a{instance="",job="batch"} 1
GET push_time_seconds push_failure_time_seconds
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="batch"} 1.500000001e+09
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="",job="batch"} 1.5e+09
AT 1500000002
POST /metrics/job/batch
GET push_time_seconds push_failure_time_seconds
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="batch"} 1.500000001e+09
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="",job="batch"} 1.500000002e+09
