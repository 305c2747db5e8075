# What the process exposes of itself keeps its type and help; a push may add series to it.
# From: spec of Pushgateway 3.2 (b) and "forced"; its storage test of go_goroutines.
own:
  # HELP go_goroutines Number of goroutines.
  # TYPE go_goroutines gauge
  go_goroutines 7
  # TYPE http summary
  http_sum 1
  http_count 2
PUT /metrics/job/batch
  # TYPE go_goroutines counter
  go_goroutines 1
-> refused type-conflict@1:22
PUT /metrics/job/batch
  http_count 1
-> refused suffix-collision@1:1
PUT /metrics/job/batch
  # HELP go_goroutines Mine.
  # TYPE go_goroutines gauge
  go_goroutines 1
-> warned help-conflict
GET
  # HELP go_goroutines Number of goroutines.
  # TYPE go_goroutines gauge
  go_goroutines 7
  go_goroutines{instance="",job="batch"} 1
  # TYPE http summary
  http_sum 1
  http_count 2
DELETE /metrics/job/batch
-> 1
GET
  # HELP go_goroutines Number of goroutines.
  # TYPE go_goroutines gauge
  go_goroutines 7
  # TYPE http summary
  http_sum 1
  http_count 2
