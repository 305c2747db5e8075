// Command push pushes a counter and a histogram with client_golang: push METHOD URL JOB FORMAT [NAME VALUE]...
//
// METHOD is PUT, POST or DELETE; FORMAT is protobuf, which is the library's own choice, or text.
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5:]); err != nil {
		fmt.Fprintf(os.Stderr, "push: %v\n", err)
		os.Exit(1)
	}
}

func run(method, url, job, format string, grouping []string) error {
	done := prometheus.NewCounter(prometheus.CounterOpts{Name: "done_total", Help: "What was done."})
	done.Add(3)
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds", Help: "How long.", Buckets: []float64{1, 5}})
	seconds.Observe(2)
	pusher := push.New(url, job).Collector(done).Collector(seconds)
	if format == "text" {
		pusher.Format(expfmt.NewFormat(expfmt.TypeTextPlain))
	}
	for ; len(grouping) > 0; grouping = grouping[2:] {
		pusher.Grouping(grouping[0], grouping[1])
	}
	switch method {
	case "PUT":
		return pusher.Push()
	case "POST":
		return pusher.Add()
	}
	return pusher.Delete()
}
