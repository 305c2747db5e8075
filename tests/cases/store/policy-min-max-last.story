# Smallest, largest and last value of each series; names go before types.
# From: issue text, "merge policies"; lessons in spec of Pushgateway 9.3.
policy: gauge=last,low_*=min,high_*=max
PUT /metrics/job/batch
  # TYPE low_x gauge
  low_x 2
  # TYPE high_x gauge
  high_x 2
  # TYPE g gauge
  g{a="1"} 2
POST /metrics/job/batch
  # TYPE low_x gauge
  low_x 3
  # TYPE high_x gauge
  high_x 3
  # TYPE g gauge
  g{a="2"} 3
GET
  # TYPE g gauge
  g{a="1",instance="",job="batch"} 2
  g{a="2",instance="",job="batch"} 3
  # TYPE high_x gauge
  high_x{instance="",job="batch"} 3
  # TYPE low_x gauge
  low_x{instance="",job="batch"} 2
