package main

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"time"
)

// series names one line of http_requests_total.
type series struct{ code, method, handler string }

// metrics is what /metrics tells, in the Prometheus text format, written by hand to keep the demo free of
// dependencies.
type metrics struct {
	mu       sync.Mutex
	requests map[series]uint64
	duration histogram
	started  time.Time
}

func newMetrics(started time.Time) *metrics {
	m := &metrics{requests: map[series]uint64{}, duration: newHistogram(), started: started}
	// A counter that exists from the start lets Prometheus see its first increase.
	for _, code := range []string{"200", "500"} {
		m.requests[series{code, "GET", "/"}] = 0
	}
	return m
}

func (m *metrics) observe(s series, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[s]++
	m.duration.observe(took.Seconds())
}

// rebucket counts latencies anew in other buckets, as a process does that was restarted with another configuration.
func (m *metrics) rebucket(bounds []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.duration = histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprint(w, "# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n")
	for _, s := range sorted(m.requests) {
		fmt.Fprintf(w, "http_requests_total{code=%q,method=%q,handler=%q} %d\n", s.code, s.method, s.handler, m.requests[s])
	}
	fmt.Fprint(w, "# HELP http_request_duration_seconds Time to answer.\n# TYPE http_request_duration_seconds histogram\n")
	m.duration.write(w, "http_request_duration_seconds", `handler="/"`)
	fmt.Fprint(w, "# HELP process_start_time_seconds Start of the process since the epoch.\n# TYPE process_start_time_seconds gauge\n")
	fmt.Fprintf(w, "process_start_time_seconds %.3f\n", float64(m.started.UnixMilli())/1000)
}

func sorted(requests map[series]uint64) []series {
	keys := make([]series, 0, len(requests))
	for s := range requests {
		keys = append(keys, s)
	}
	sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
	return keys
}

// histogram counts seconds in buckets that grow by about 1.5, so that a quantile read from it is at most that
// far off, from 1 ms to 5 s.
type histogram struct {
	bounds []float64
	counts []uint64 // one more than bounds: the last is +Inf
	sum    float64
}

func newHistogram() histogram {
	bounds := []float64{
		.001, .0015, .002, .003, .005, .0075, .01, .015, .02, .03, .05, .075,
		.1, .15, .2, .3, .5, .75, 1, 1.5, 2, 3, 5,
	}
	return histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) observe(seconds float64) {
	h.counts[sort.SearchFloat64s(h.bounds, seconds)]++
	h.sum += seconds
}

func (h *histogram) write(w io.Writer, name, labels string) {
	var total uint64
	for i, bound := range h.bounds {
		total += h.counts[i]
		fmt.Fprintf(w, "%s_bucket{%s,le=\"%g\"} %d\n", name, labels, bound, total)
	}
	total += h.counts[len(h.bounds)]
	fmt.Fprintf(w, "%s_bucket{%s,le=\"+Inf\"} %d\n", name, labels, total)
	fmt.Fprintf(w, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, h.sum, name, labels, total)
}

// quantile is the upper bound, in seconds, of the bucket that holds it; 0 when nothing was observed.
func (h *histogram) quantile(q float64) float64 {
	var total, seen uint64
	for _, count := range h.counts {
		total += count
	}
	if total == 0 {
		return 0
	}
	for i, bound := range h.bounds {
		seen += h.counts[i]
		if float64(seen) >= q*float64(total) {
			return bound
		}
	}
	return h.bounds[len(h.bounds)-1]
}
