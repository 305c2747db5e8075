# Label names with two underscores are refused, and that is remembered.
# From: spec of Pushgateway 3.2 (f).
PUT /metrics/job/batch
  a{__b="c"} 1
-> refused reserved-label-name
GET push_failure_time_seconds
  # HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
  # TYPE push_failure_time_seconds gauge
  push_failure_time_seconds{instance="",job="batch"} 1.5e+09
