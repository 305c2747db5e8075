// Command push pushes a counter and a histogram with client_golang: push [OPTION]... METHOD URL JOB [NAME VALUE]...
//
// METHOD is PUT, POST or DELETE. With -lines, it is done once for each line of standard input, over one connection if
// the gateway lets it, and what became of it is a line of standard output.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var (
	text     = flag.Bool("text", false, "push text, and not protobuf, which is the library's own choice")
	utf8     = flag.Bool("utf8", false, "push metrics whose names need quotes")
	escaping = flag.String("escaping", "", "what becomes of such names")
	user     = flag.String("user", "", "for basic authentication: NAME:PASSWORD")
	cacert   = flag.String("cacert", "", "who signed the gateway's certificate")
	cert     = flag.String("cert", "", "the client's certificate")
	key      = flag.String("key", "", "the key of that")
	lines    = flag.Bool("lines", false, "push for each line of standard input")
)

func main() {
	flag.Parse()
	pusher, err := newPusher(flag.Arg(1), flag.Arg(2), flag.Args()[3:])
	if err == nil && *lines {
		for scanner := bufio.NewScanner(os.Stdin); scanner.Scan(); {
			if err := run(pusher, flag.Arg(0)); err != nil {
				fmt.Println(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", " "))
			} else {
				fmt.Println("done")
			}
		}
	} else if err == nil {
		err = run(pusher, flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "push: %v\n", err)
		os.Exit(1)
	}
}

func newPusher(url, job string, grouping []string) (*push.Pusher, error) {
	counter := prometheus.CounterOpts{Name: "done_total", Help: "What was done."}
	histogram := prometheus.HistogramOpts{Name: "took_seconds", Help: "How long.", Buckets: []float64{1, 5}}
	if *utf8 {
		counter.Name, counter.ConstLabels = "döne.total", prometheus.Labels{"zo.ne": "ä/ö"}
		histogram.Name, histogram.ConstLabels = "took seconds", prometheus.Labels{`a"\b`: "c"}
	}
	done, seconds := prometheus.NewCounter(counter), prometheus.NewHistogram(histogram)
	done.Add(3)
	seconds.Observe(2)
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	if *text {
		format = expfmt.NewFormat(expfmt.TypeTextPlain)
	}
	if *escaping != "" {
		scheme, err := model.ToEscapingScheme(*escaping)
		if err != nil {
			return nil, err
		}
		format = format.WithEscapingScheme(scheme)
	}
	client, err := newClient()
	if err != nil {
		return nil, err
	}
	pusher := push.New(url, job).Collector(done).Collector(seconds).Format(format).Client(client)
	if name, password, found := strings.Cut(*user, ":"); found {
		pusher.BasicAuth(name, password)
	}
	for ; len(grouping) > 0; grouping = grouping[2:] {
		pusher.Grouping(grouping[0], grouping[1])
	}
	return pusher, pusher.Error()
}

func newClient() (*http.Client, error) {
	config := &tls.Config{}
	if *cacert != "" {
		trusted, err := os.ReadFile(*cacert)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(trusted)
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}, nil
}

func run(pusher *push.Pusher, method string) error {
	switch method {
	case "PUT":
		return pusher.Push()
	case "POST":
		return pusher.Add()
	}
	return pusher.Delete()
}
