# A refused push is remembered even if the group is new; its last push was at 0, which is never.
# From: spec of Pushgateway 2.2, "Reject".
PUT /metrics/job/batch/instance/a
  a{b="c"} 1
  a{b="c"} 2
-> refused duplicate-sample@2:1
GET push_time_seconds push_failure_time_seconds a
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="a",job="batch"} 1.5e+09
  # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
  # TYPE push_time_seconds gauge
  push_time_seconds{instance="a",job="batch"} 0
