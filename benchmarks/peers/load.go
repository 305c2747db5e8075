package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A load is what clients ask of a gateway over HTTP, whichever gateway that is. Groups and bodies are those that
// pushgateway.go tells of.
type load struct {
	gateway
	url    string
	client *http.Client
	mutex  sync.Mutex
}

// latencies are those of requests that were sent one after the other on each connection; Seconds is for all of them.
type latencies struct {
	Seconds float64   `json:"seconds"`
	Each    []float64 `json:"each"`
	Bytes   int       `json:"bytes"`
}

// serveLoad answers each line of standard input with a line of JSON.
//
//	fill CONNECTIONS             push each group once
//	push CONNECTIONS SECONDS     push to groups in turn for so long
//	scrape N                     N times, a push and a scrape: of the scrapes only
func serveLoad(path string, groups int, url string) error {
	template, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	load := &load{
		gateway: gateway{template: string(template), groups: groups},
		url:     url,
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}},
	}
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := load.answer(strings.Fields(lines.Text()))
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (l *load) answer(words []string) (any, error) {
	if len(words) < 2 {
		return nil, errors.New("a command is a word and numbers")
	}
	var numbers []float64
	for _, word := range words[1:] {
		number, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	switch {
	case words[0] == "fill":
		left := l.groups
		return l.together(int(numbers[0]), func() (int, string, bool) {
			left--
			return left, l.body(max(left, 0), 0), left >= 0
		})
	case words[0] == "push" && len(numbers) == 2:
		end := time.Now().Add(time.Duration(numbers[1] * float64(time.Second)))
		return l.together(int(numbers[0]), func() (int, string, bool) {
			group, body := l.next()
			return group, body, time.Now().Before(end)
		})
	case words[0] == "scrape":
		return l.scrapes(int(numbers[0]))
	}
	return nil, fmt.Errorf("unknown command %q", words[0])
}

// together pushes over so many connections what next gives, until it gives no more.
func (l *load) together(connections int, next func() (int, string, bool)) (latencies, error) {
	start := time.Now()
	results, failures := make(chan []float64), make(chan error, connections)
	for range connections {
		go func() {
			var each []float64
			defer func() { results <- each }()
			for {
				l.mutex.Lock()
				group, body, more := next()
				l.mutex.Unlock()
				if !more {
					return
				}
				begun := time.Now()
				if err := l.push(group, body); err != nil {
					failures <- err
					return
				}
				each = append(each, time.Since(begun).Seconds())
			}
		}()
	}
	var all latencies
	for range connections {
		all.Each = append(all.Each, <-results...)
	}
	all.Seconds = time.Since(start).Seconds()
	slices.Sort(all.Each)
	select {
	case err := <-failures:
		return all, err
	default:
		return all, nil
	}
}

func (l *load) scrapes(count int) (latencies, error) {
	var all latencies
	for range count {
		if err := l.push(l.next()); err != nil {
			return all, err
		}
		begun := time.Now()
		request, err := http.NewRequest(http.MethodGet, l.url+"/metrics", nil)
		if err != nil {
			return all, err
		}
		all.Bytes, err = l.send(request)
		if err != nil {
			return all, err
		}
		all.Each = append(all.Each, time.Since(begun).Seconds())
		all.Seconds += all.Each[len(all.Each)-1]
	}
	slices.Sort(all.Each)
	return all, nil
}

func (l *load) push(group int, body string) error {
	url := fmt.Sprintf("%s/metrics/job/batch/instance/host-%d", l.url, group)
	request, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	_, err = l.send(request)
	return err
}

// send gives the length of the answer, which must be one of success.
func (l *load) send(request *http.Request) (int, error) {
	response, err := l.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return 0, fmt.Errorf("%s: %s %s", request.URL, response.Status, text)
	}
	length, err := io.Copy(io.Discard, response.Body)
	return int(length), err
}
