package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// measured is one Go benchmark that starts the real servers itself, and what of
// its metrics the report shows: ours, the peer's and the one by the other.
type measured struct {
	pkg, bench, rounds string
	args               []string
	rows               []row
}

type row struct {
	bench             string // "" = the only one
	name              string
	ours, peer, ratio string // metrics
	goal              float64
	atMost            bool
}

// onServers lists the benchmarks of the scaled deployment. Each lies beside the
// code it measures and starts its servers by internal/servertest.
func onServers(trendEvents int) []measured {
	return []measured{
		{"./internal/app", "LogToHistory", "3x", nil, []row{
			{"", "log → score → history, beside discarding the log", "ours-events/s", "peer-events/s", "ratio", 0.5, false}}},
		{"./internal/clickhouse", "Insert", "60x", nil, []row{
			{"", "insert into history, beside the driver's own", "insert-rows/s", "raw-rows/s", "insert/raw", 0.9, false},
			{"", "  a whole Store with its look-ups", "store-rows/s", "raw-rows/s", "store/raw", 0, false}}},
		{"./internal/clickhouse", "Trends", "5x", []string{"-trend-events", strconv.Itoa(trendEvents)}, []row{
			{"alerts-by-week", "alerts by week, %s events, beside SQL", "ours-ms", "peer-ms", "ours/peer", 1.2, true},
			{"alerts-by-source", "alerts by source, %s events", "ours-ms", "peer-ms", "ours/peer", 1.2, true},
			{"alerts-by-category", "alerts by category, %s events", "ours-ms", "peer-ms", "ours/peer", 1.2, true},
			{"churn-by-month", "churn by month, %s events", "ours-ms", "peer-ms", "ours/peer", 1.2, true}}},
		{"./internal/e2e", "Fleet_AlertLatency", "1x", nil, []row{
			{"", "event → mail, p99, beside produce → fetch", "ours-p99-ms", "peer-p99-ms", "ratio", 5, true}}},
		{"./internal/e2e", "Fleet_MemoryUnderLag", "1x", nil, []row{
			{"", "memory of a scorer with a long lag, of 256 MiB", "ours-MiB", "peer-MiB", "ratio", 1, true}}},
	}
}

// servers measures the scaled deployment. What has no server here is said and
// passed over.
func (b bench) servers() ([]result, error) {
	var all []result
	for _, m := range onServers(b.trendEvents) {
		metrics, skipped, err := m.run()
		if err != nil {
			return all, err
		}
		if skipped != "" {
			fmt.Printf("%s: %s\n", m.bench, skipped)
			continue
		}
		for _, r := range m.rows {
			one, err := r.result(metrics[r.bench], fmt.Sprintf("%.0fM", float64(b.trendEvents)/1e6))
			if err != nil {
				return all, fmt.Errorf("%s: %w", m.bench, err)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

func (r row) result(metrics map[string]float64, events string) (result, error) {
	name := strings.Replace(r.name, "%s", events, 1)
	for _, m := range []string{r.ours, r.peer, r.ratio} {
		if _, ok := metrics[m]; !ok {
			return result{}, fmt.Errorf("no %s for %q", m, name)
		}
	}
	with := func(metric string) string {
		unit := metric[strings.LastIndexByte(metric, '-')+1:]
		return fmt.Sprintf("%.0f %s", metrics[metric], unit)
	}
	return result{name: name, ours: with(r.ours), peer: with(r.peer), ratio: metrics[r.ratio], goal: r.goal, atMost: r.atMost}, nil
}

// run answers the metrics by sub-benchmark, or why it was skipped.
func (m measured) run() (metrics map[string]map[string]float64, skipped string, err error) {
	args := append([]string{"test", "-count=1", "-timeout", "60m", "-run", "^$", "-bench", "^Benchmark" + m.bench + "$", "-benchtime", m.rounds, "-v", m.pkg}, m.args...)
	cmd := exec.Command("go", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	metrics = map[string]map[string]float64{}
	for sc := bufio.NewScanner(&out); sc.Scan(); {
		if _, why, ok := strings.Cut(sc.Text(), "SKIPPED: "); ok {
			return nil, "skipped, " + why, nil
		}
		if name, found, ok := benchLine(sc.Text(), m.bench); ok {
			metrics[name] = found
		}
	}
	if len(metrics) == 0 {
		return nil, "", errors.New("no metrics in\n" + out.String())
	}
	return metrics, "", nil
}

// benchLine reads a line such as "BenchmarkTrends/churn-2  5  12.5 ours-ms".
func benchLine(line, bench string) (sub string, metrics map[string]float64, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark"+bench) {
		return "", nil, false
	}
	sub = strings.TrimPrefix(fields[0], "Benchmark"+bench)
	if i := strings.LastIndexByte(sub, '-'); i >= 0 { // GOMAXPROCS
		if _, err := strconv.Atoi(sub[i+1:]); err == nil {
			sub = sub[:i]
		}
	}
	metrics = map[string]float64{}
	for i := 2; i+1 < len(fields); i += 2 {
		x, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return "", nil, false
		}
		metrics[fields[i+1]] = x
	}
	return strings.TrimPrefix(sub, "/"), metrics, true
}
