# Two series of the body that differ only in a label of the group become one, which is refused.
# From: spec of Pushgateway 3.1, last paragraph.
PUT /metrics/job/batch
  a{job="x"} 1
  a{job="y"} 1
-> refused duplicate-sample@2:1
GET
