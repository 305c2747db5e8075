package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/pushgateway/storage"
)

// A gateway is Pushgateway's store, driven as its handlers drive it, without HTTP.
//
// All groups push the same text, but that each @SET@ in it is the number of ten groups in a row, and each @TURN@ a
// digit that is another one in the next push. A group's key is its job and its instance.
type gateway struct {
	store    *storage.DiskMetricStore
	gatherer prometheus.Gatherers
	template string
	groups   int
	pushes   int
	text     bytes.Buffer
}

type summary struct {
	Samples int    `json:"samples"`
	Size    int    `json:"size"`
	Digest  string `json:"digest"`
}

// serveGateway answers each line of standard input with a line of JSON.
//
//	fill        push each group once, unchecked: seconds
//	push N      push to N groups in turn: seconds of all of it
//	scrape N    N times, a push and a scrape: seconds of the scrapes
//	free        give memory that is garbage back to the system: seconds
//	digest      what a scrape holds, the times of pushes and Go's own metrics left out
func serveGateway(path string, groups int) error {
	template, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	store := storage.NewDiskMetricStore("", time.Hour, prometheus.DefaultGatherer, silent)
	pushed := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return store.GetMetricFamilies(), nil })
	gateway := &gateway{
		store:    store,
		gatherer: prometheus.Gatherers{prometheus.DefaultGatherer, pushed},
		template: string(template),
		groups:   groups,
	}
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := gateway.answer(strings.Fields(lines.Text()))
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (g *gateway) answer(words []string) (any, error) {
	if len(words) == 0 {
		return nil, errors.New("an empty line is no command")
	}
	count := 1
	if len(words) > 1 {
		var err error
		if count, err = strconv.Atoi(words[1]); err != nil {
			return nil, err
		}
	}
	switch words[0] {
	case "fill":
		start := time.Now()
		for group := range g.groups {
			if err := g.submit(group, g.body(group, 0), false); err != nil {
				return nil, err
			}
		}
		g.settle()
		return round{time.Since(start).Seconds()}, nil
	case "push":
		return g.timePushes(count)
	case "scrape":
		return g.timeScrapes(count)
	case "free":
		start := time.Now()
		g.text = bytes.Buffer{}
		debug.FreeOSMemory()
		return round{time.Since(start).Seconds()}, nil
	case "digest":
		return g.digest()
	}
	return nil, fmt.Errorf("unknown command %q", words[0])
}

func (g *gateway) timePushes(count int) (round, error) {
	groups, bodies := make([]int, count), make([]string, count)
	for i := range count {
		groups[i], bodies[i] = g.next()
	}
	work := work{once: func() error {
		group, body := groups[0], bodies[0]
		groups, bodies = groups[1:], bodies[1:]
		return g.submit(group, body, true)
	}}
	seconds, err := timed(work, count)
	return round{seconds}, err
}

func (g *gateway) timeScrapes(count int) (round, error) {
	total := 0.0
	for range count {
		group, body := g.next()
		// What changed is to be new, and not that it was checked.
		if err := g.submit(group, body, false); err != nil {
			return round{}, err
		}
		g.settle()
		seconds, err := timed(work{once: g.scrape}, 1)
		if err != nil {
			return round{}, err
		}
		total += seconds
	}
	return round{total}, nil
}

// next is the group whose turn it is, and what it pushes.
func (g *gateway) next() (int, string) {
	g.pushes++
	// A prime: groups far from each other, and all of them in time.
	group := g.pushes * 7919 % g.groups
	return group, g.body(group, g.pushes)
}

func (g *gateway) body(group, turn int) string {
	set, digit := strconv.Itoa(group/10), strconv.Itoa(turn%10)
	return strings.NewReplacer("@SET@", set, "@TURN@", digit).Replace(g.template)
}

// submit reads a body and lets it take the place of what its group pushed before.
func (g *gateway) submit(group int, body string, check bool) error {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		return err
	}
	request := storage.WriteRequest{
		Labels:         map[string]string{"job": "batch", "instance": fmt.Sprintf("host-%d", group)},
		Timestamp:      time.Now(),
		MetricFamilies: families,
		Replace:        true,
	}
	if check {
		request.Done = make(chan error, 1)
	}
	g.store.SubmitWriteRequest(request)
	if !check {
		return nil
	}
	return <-request.Done
}

// settle waits until all that was submitted is done: requests are served in order, and this one deletes nothing.
func (g *gateway) settle() {
	done := make(chan error, 1)
	g.store.SubmitWriteRequest(storage.WriteRequest{Labels: map[string]string{"job": "none"}, Done: done})
	<-done
}

func (g *gateway) scrape() error {
	families, err := g.gatherer.Gather()
	if err != nil {
		return err
	}
	g.text.Reset()
	return write(&g.text, families)
}

func write(text io.Writer, families []*dto.MetricFamily) error {
	encoder := expfmt.NewEncoder(text, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	return nil
}

func (g *gateway) digest() (any, error) {
	families, err := g.gatherer[1:].Gather()
	if err != nil {
		return nil, err
	}
	pushed := families[:0]
	for _, family := range families {
		if name := family.GetName(); name != "push_time_seconds" && name != "push_failure_time_seconds" {
			pushed = append(pushed, family)
		}
	}
	var text bytes.Buffer
	if err := write(&text, pushed); err != nil {
		return nil, err
	}
	samples := 0
	for line := range bytes.Lines(text.Bytes()) {
		if line[0] != '#' {
			samples++
		}
	}
	hash := sha256.Sum256(text.Bytes())
	return summary{samples, text.Len(), hex.EncodeToString(hash[:])}, nil
}
