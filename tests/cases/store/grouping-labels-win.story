# Labels of the group replace those of the body, silently; a pushed instance stays where the group has none.
# From: Pushgateway's README, "About the job and instance labels"; spec of Pushgateway 3.1; its storage test of sanitising.
PUT /metrics/job/batch/zone/eu
  a{job="x",zone="us",instance="i"} 1
  a{job="x",other="o"} 2
GET
  # TYPE a untyped
  a{instance="i",job="batch",zone="eu"} 1
  a{instance="",job="batch",other="o",zone="eu"} 2
