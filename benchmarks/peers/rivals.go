package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"

	victoriametrics "github.com/VictoriaMetrics/VictoriaMetrics/lib/protoparser/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// A work can be done again and again; once is what is timed, samples is how many the last time found or wrote.
type work struct {
	once    func() error
	samples func() int
}

// What a rival does to get ready to work on an exposition is not timed.
var rivals = map[string]func(data []byte) (work, error){
	"VictoriaMetrics":        victoriaMetricsRows,
	"VictoriaMetrics, fresh": victoriaMetricsFresh,
	"textparse":              textparseWalk,
	"expfmt":                 expfmtParse,
	"expfmt write":           expfmtWrite,
	"expfmt protobuf":        protobufParse,
	"expfmt protobuf write":  protobufWrite,
}

func expfmtParse(data []byte) (work, error) {
	var families map[string]*dto.MetricFamily
	once := func() (err error) {
		families = nil // what was read before is garbage, and not kept alive by this program
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err = parser.TextToMetricFamilies(bytes.NewReader(data))
		return err
	}
	return work{once, func() int { return linesOf(families) }}, nil
}

// linesOf is how many sample lines were read into the families.
func linesOf(families map[string]*dto.MetricFamily) int {
	lines := 0
	one := func(given bool) {
		if given {
			lines++
		}
	}
	for _, family := range families {
		for _, metric := range family.Metric {
			switch summary, histogram := metric.Summary, metric.Histogram; {
			case summary != nil:
				lines += len(summary.Quantile)
				one(summary.SampleSum != nil)
				one(summary.SampleCount != nil)
			case histogram != nil:
				lines += len(histogram.Bucket)
				one(histogram.SampleSum != nil)
				one(histogram.SampleCount != nil || histogram.SampleCountFloat != nil)
			default:
				lines++
			}
		}
	}
	return lines
}

func expfmtWrite(data []byte) (work, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		return work{}, err
	}
	names := slices.Sorted(maps.Keys(families))
	// The buffer is used again, which is the writer at its best.
	var text bytes.Buffer
	once := func() error {
		text.Reset()
		for _, name := range names {
			if _, err := expfmt.MetricFamilyToText(&text, families[name]); err != nil {
				return err
			}
		}
		return nil
	}
	samples := func() int {
		lines := 0
		for line := range bytes.Lines(text.Bytes()) {
			if line[0] != '#' {
				lines++
			}
		}
		return lines
	}
	return work{once, samples}, nil
}

var delimited = expfmt.NewFormat(expfmt.TypeProtoDelim).WithEscapingScheme(model.NoEscaping)

// protobufParse reads the messages that protobufWrite makes of a text.
func protobufParse(data []byte) (work, error) {
	messages, _, err := encoded(data)
	if err != nil {
		return work{}, err
	}
	var families map[string]*dto.MetricFamily
	once := func() error {
		families = map[string]*dto.MetricFamily{}
		decoder := expfmt.NewDecoder(bytes.NewReader(messages.Bytes()), delimited)
		for {
			var family dto.MetricFamily
			if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			families[family.GetName()] = &family
		}
	}
	return work{once, func() int { return linesOf(families) }}, nil
}

func protobufWrite(data []byte) (work, error) {
	messages, families, err := encoded(data)
	if err != nil {
		return work{}, err
	}
	once := func() error {
		messages.Reset()
		return encode(messages, families)
	}
	return work{once, func() int { return linesOf(families) }}, nil
}

func encoded(text []byte) (*bytes.Buffer, map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	var messages bytes.Buffer
	return &messages, families, encode(&messages, families)
}

func encode(to io.Writer, families map[string]*dto.MetricFamily) error {
	encoder := expfmt.NewEncoder(to, delimited)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if err := encoder.Encode(families[name]); err != nil {
			return err
		}
	}
	return nil
}

func textparseWalk(data []byte) (work, error) {
	// A scrape loop has one table of symbols for all scrapes of a target.
	symbols := labels.NewSymbolTable()
	samples := 0
	once := func() error {
		samples = 0
		parser, err := textparse.New(data, "text/plain", symbols, textparse.ParserOptions{})
		if err != nil {
			return err
		}
		var set labels.Labels
		for {
			entry, err := parser.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			switch entry {
			case textparse.EntrySeries:
				parser.Series()
				parser.Labels(&set)
				samples++
			case textparse.EntryHelp:
				parser.Help()
			case textparse.EntryType:
				parser.Type()
			}
		}
	}
	return work{once, func() int { return samples }}, nil
}

func victoriaMetricsRows(data []byte) (work, error) {
	text := string(data)
	// A scraper uses its rows again for each body, and so does Unmarshal with these.
	var rows victoriametrics.Rows
	once := func() error {
		var refused error
		rows.UnmarshalWithErrLogger(text, func(message string) { refused = errors.New(message) })
		return refused
	}
	return work{once, func() int { return len(rows.Rows) }}, nil
}

func victoriaMetricsFresh(data []byte) (work, error) {
	text := string(data)
	var rows victoriametrics.Rows
	var metadata victoriametrics.MetadataRows
	once := func() error {
		var refused error
		rows, metadata = victoriametrics.Rows{}, victoriametrics.MetadataRows{}
		rows, metadata = victoriametrics.UnmarshalWithMetadata(rows, metadata, text, func(message string) {
			refused = errors.New(message)
		})
		return refused
	}
	return work{once, func() int { return len(rows.Rows) }}, nil
}
