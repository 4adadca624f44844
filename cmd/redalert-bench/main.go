// Command redalert-bench measures Redalert against peers in the same run and
// prints ratios, which mean something on any machine, beside the figures.
//
//	make bench
//
// It drives the real binary from outside, as the tests do; of the text model it
// calls the stages. What is measured on
// Kafka, ClickHouse and PostgreSQL are Go benchmarks beside the code they
// measure, which start the servers; it runs them and shows their figures.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// result is one line of the report. Ratio is ours against the peer's.
type result struct {
	name, ours, peer string
	ratio            float64
	goal             float64 // 0 = none: the line is there to compare
	atMost           bool    // the goal is an upper bound
}

func (r result) verdict() string {
	if r.atMost && r.ratio <= r.goal || !r.atMost && r.ratio >= r.goal {
		return "reached"
	}
	return "MISSED"
}

func main() {
	bin := flag.String("bin", "bin/redalert", "the binary to measure")
	data := flag.String("testdata", os.Getenv("REDALERT_TESTDATA"), "folder of the real data sets; without it the import is skipped")
	only := flag.String("only", "", "one of webhook, import, imap, loopback, memory, text, servers")
	trend := flag.Int("trend-events", 10_000_000, "events in history for the charts on ClickHouse")
	flag.Parse()
	if err := run(*bin, *data, *only, *trend); err != nil {
		fmt.Fprintln(os.Stderr, "redalert-bench:", err)
		os.Exit(1)
	}
}

func run(bin, data, only string, trendEvents int) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	b := bench{bin: bin, data: data, trendEvents: trendEvents}
	fmt.Printf("%-56s %18s %18s %8s %8s\n", "", "redalert", "peer", "ratio", "goal")
	for _, one := range []struct {
		name string
		do   func() ([]result, error)
	}{{"webhook", b.webhook}, {"import", b.importOrders}, {"imap", b.imap}, {"loopback", b.loopback}, {"memory", b.memory}, {"text", b.text}, {"servers", b.servers}} {
		if only != "" && only != one.name {
			continue
		}
		results, err := one.do()
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		for _, r := range results {
			sign := "≥"
			if r.atMost {
				sign = "≤"
			}
			if r.goal == 0 {
				fmt.Printf("%-56s %18s %18s %8.2f\n", r.name, r.ours, r.peer, r.ratio)
				continue
			}
			fmt.Printf("%-56s %18s %18s %8.2f %s%7.2f %s\n", r.name, r.ours, r.peer, r.ratio, sign, r.goal, r.verdict())
		}
	}
	return nil
}
