// Command expfmt_peer lets prometheus/common read and write what our protobuf format is compared with.
//
//	expfmt_peer text      length-delimited messages to text
//	expfmt_peer protobuf  text to length-delimited messages, by name
//	expfmt_peer client    what client_golang's own metrics are as messages; their labels and help are fixed
//	expfmt_peer native    the same, of a native histogram
//
// Input is standard input, output is standard output.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var delimited = expfmt.NewFormat(expfmt.TypeProtoDelim).WithEscapingScheme(model.NoEscaping)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "expfmt_peer: %v\n", err)
		os.Exit(1)
	}
}

func run(mode string) error {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	switch mode {
	case "text":
		return toText(data)
	case "protobuf":
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
		if err != nil {
			return err
		}
		var sorted []*dto.MetricFamily
		for _, family := range families {
			sorted = append(sorted, family)
		}
		slices.SortFunc(sorted, func(a, b *dto.MetricFamily) int {
			return bytes.Compare([]byte(a.GetName()), []byte(b.GetName()))
		})
		return write(sorted)
	case "client":
		return write(gathered(prometheus.HistogramOpts{Name: "h_seconds", Help: "H.", Buckets: []float64{0.5, 1}}))
	case "native":
		return write(gathered(prometheus.HistogramOpts{Name: "h_seconds", NativeHistogramBucketFactor: 1.1}))
	}
	return fmt.Errorf("unknown mode %q", mode)
}

func toText(data []byte) error {
	decoder := expfmt.NewDecoder(bytes.NewReader(data), delimited)
	for {
		var family dto.MetricFamily
		err := decoder.Decode(&family)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := expfmt.MetricFamilyToText(os.Stdout, &family); err != nil {
			return err
		}
	}
}

func write(families []*dto.MetricFamily) error {
	encoder := expfmt.NewEncoder(os.Stdout, delimited)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	return nil
}

func gathered(options prometheus.HistogramOpts) []*dto.MetricFamily {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c_total", Help: "C."}, []string{"code"})
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "g"})
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "s", Objectives: map[float64]float64{0.5: 0.05}})
	histogram := prometheus.NewHistogram(options)
	registry.MustRegister(counter, gauge, summary, histogram)
	exemplar := prometheus.Labels{"trace_id": "abc"}
	counter.WithLabelValues("200").(prometheus.ExemplarAdder).AddWithExemplar(3, exemplar)
	counter.WithLabelValues("500").Inc()
	gauge.Set(-1.5)
	summary.Observe(2)
	histogram.Observe(0.25)
	histogram.(prometheus.ExemplarObserver).ObserveWithExemplar(7, exemplar)
	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	return families
}
