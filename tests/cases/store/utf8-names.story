# Names of UTF-8 are taken where the store is told so, and written in quotes.
# From: Pushgateway's README, "UTF-8 support for metric and label names"; spec of Pushgateway 1.4 and 4.5.
names: utf-8
PUT /metrics/job/batch
  # TYPE "http.requests" counter
  {"http.requests","of ß"="x"} 1
GET http.requests
  # TYPE "http.requests" counter
  {"http.requests",instance="",job="batch","of ß"="x"} 1
PUT /metrics/job/other
  # TYPE "http.requests" gauge
  {"http.requests"} 1
-> refused type-conflict@1:24
