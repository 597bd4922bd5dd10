package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// outcome is what came of one request. At most one of injected and failure is set.
type outcome struct {
	version  string
	began    time.Time
	injected bool
	failure  string
	resent   bool
	took     time.Duration
}

// failuresKept bounds the report: the first failures explain, the rest only count.
const failuresKept = 20

// tally counts outcomes, in all and by second.
type tally struct {
	mu       sync.Mutex
	began    time.Time
	total    counts
	failures []failure
	seconds  []second
	latency  histogram
}

type counts struct {
	Sent     uint64            `json:"sent"`
	OK       uint64            `json:"ok"`
	Injected uint64            `json:"injected"`
	Failed   uint64            `json:"failed"` // neither 2xx nor marked as injected; timeouts and broken connections too
	Unsent   uint64            `json:"unsent"` // due, but too many were in flight
	Resent   uint64            `json:"resent"` // answered only after the client opened a second connection
	Versions map[string]uint64 `json:"versions"`
	// When the latest request that a version answered was sent: how late traffic left it.
	LastSent map[string]time.Time `json:"lastSent"`
}

type failure struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// second holds the requests that ended in one second of wall-clock time.
type second struct {
	At       int64             `json:"at"` // since the epoch
	OK       uint64            `json:"ok"`
	Injected uint64            `json:"injected"`
	Failed   uint64            `json:"failed"`
	Versions map[string]uint64 `json:"versions"`
}

// snapshot is the report, and what the status port serves.
type snapshot struct {
	Began          time.Time          `json:"began"`
	Now            time.Time          `json:"now"`
	ElapsedSeconds float64            `json:"elapsedSeconds"`
	Counts         counts             `json:"counts"`
	Latency        map[string]float64 `json:"latencySeconds"` // upper bound of the bucket that holds the quantile
	Failures       []failure          `json:"firstFailures"`
	Seconds        []second           `json:"seconds"`
}

func newTally(began time.Time) *tally {
	return &tally{began: began, total: counts{Versions: map[string]uint64{}, LastSent: map[string]time.Time{}}, failures: []failure{}, latency: newHistogram()}
}

func (t *tally) unsent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Unsent++
}

func (t *tally) record(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	s := t.second(now.Unix())
	t.total.Sent++
	t.latency.observe(o.took.Seconds())
	if o.resent {
		t.total.Resent++
	}
	if o.version != "" {
		t.total.Versions[o.version]++
		if o.began.After(t.total.LastSent[o.version]) {
			t.total.LastSent[o.version] = o.began
		}
		s.Versions[o.version]++
	}
	switch {
	case o.failure != "":
		t.total.Failed++
		s.Failed++
		if len(t.failures) < failuresKept {
			t.failures = append(t.failures, failure{now, o.failure})
		}
	case o.injected:
		t.total.Injected++
		s.Injected++
	default:
		t.total.OK++
		s.OK++
	}
}

func (t *tally) second(at int64) *second {
	if n := len(t.seconds); n == 0 || t.seconds[n-1].At < at {
		t.seconds = append(t.seconds, second{At: at, Versions: map[string]uint64{}})
	}
	return &t.seconds[len(t.seconds)-1]
}

// snapshot copies the counters with the last seconds; 0 means all of them.
func (t *tally) snapshot(last int) snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	from := 0
	if last > 0 {
		from = max(0, len(t.seconds)-last)
	}
	s := snapshot{
		Began:          t.began,
		Now:            now,
		ElapsedSeconds: now.Sub(t.began).Seconds(),
		Counts:         t.total,
		Failures:       append([]failure{}, t.failures...),
		Seconds:        make([]second, 0, len(t.seconds)-from),
		Latency:        map[string]float64{},
	}
	for _, q := range []float64{.5, .95, .99, 1} {
		s.Latency["p"+strconv.FormatFloat(100*q, 'f', -1, 64)] = t.latency.quantile(q)
	}
	// Deep copies: the answer is encoded after the lock is given back.
	s.Counts.Versions = clone(t.total.Versions)
	s.Counts.LastSent = clone(t.total.LastSent)
	for _, one := range t.seconds[from:] {
		one.Versions = clone(one.Versions)
		s.Seconds = append(s.Seconds, one)
	}
	return s
}

func clone[V any](m map[string]V) map[string]V {
	c := make(map[string]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// ServeHTTP answers the live counters; `?last=N` asks for N seconds of history, 30 when absent.
func (t *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last, err := strconv.Atoi(r.URL.Query().Get("last"))
	if err != nil || last <= 0 {
		last = 30
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(t.snapshot(last))
}
