// Command peers times one reader or writer of exposition text, so that ours can be measured against it in one run.
//
//	peers NAME FILE
//	peers gateway FILE GROUPS
//	peers load FILE GROUPS URL
//
// The first reads the file, does the work of NAME once, and prints in a line of JSON how many samples that found. Each
// line of standard input then is a count: the work is done that often in a row, and a line of JSON says how many
// seconds all of it took. The second holds groups in Pushgateway's store and has commands of its own (pushgateway.go),
// and so has the third, which is a client of a gateway (load.go). The program ends with its input.
//
// It runs on one processor, so that no rival has more threads than our functions have. Garbage is collected as in any
// Go program, on that processor, within the time; and once before each round, outside it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

type introduction struct {
	Samples int `json:"samples"`
}

type round struct {
	Seconds float64 `json:"seconds"`
}

func main() {
	runtime.GOMAXPROCS(1)
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(2)
	}
}

func serve() error {
	if len(os.Args) > 3 {
		groups, err := strconv.Atoi(os.Args[3])
		switch {
		case err != nil:
			return err
		case os.Args[1] == "gateway" && len(os.Args) == 4:
			return serveGateway(os.Args[2], groups)
		case os.Args[1] == "load" && len(os.Args) == 5:
			return serveLoad(os.Args[2], groups, os.Args[4])
		}
	}
	if len(os.Args) != 3 {
		return errors.New("usage: peers NAME FILE, peers gateway FILE GROUPS, or peers load FILE GROUPS URL")
	}
	prepare, known := rivals[os.Args[1]]
	if !known {
		return fmt.Errorf("no rival is called %q", os.Args[1])
	}
	data, err := os.ReadFile(os.Args[2])
	if err != nil {
		return err
	}
	work, err := prepare(data)
	if err != nil {
		return err
	}
	if err := work.once(); err != nil {
		return err
	}
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(introduction{work.samples()}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		seconds, err := timed(work, count)
		if err != nil {
			return err
		}
		if err := answers.Encode(round{seconds}); err != nil {
			return err
		}
	}
	return lines.Err()
}

func timed(work work, count int) (float64, error) {
	runtime.GC()
	start := time.Now()
	for range count {
		if err := work.once(); err != nil {
			return 0, err
		}
	}
	return time.Since(start).Seconds(), nil
}
