# What cannot be read leaves no trace, not even the time of a failure.
# From: spec of Pushgateway 2.2, step 1; its handler test of invalid text.
PUT /metrics/job/batch
  blablabla
-> refused missing-value@1:10
PUT /metrics/job/batch
  a 1\
-> refused missing-final-newline@1:4
PUT /metrics/job/batch
  a 1 
-> refused trailing-blank@1:4
PUT /metrics/job/batch
  # TYPE a gauge
  # TYPE a gauge
  a 1
-> refused second-type
GET
GET push_time_seconds push_failure_time_seconds
