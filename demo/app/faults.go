package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// faults is how a version misbehaves; the zero value behaves well.
type faults struct {
	version    string
	errorRate  float64       // share of requests answered 500
	latency    time.Duration // mean of the time added to each request
	startDelay time.Duration // not ready for so long after the start
	crashAfter time.Duration // exits with code 1 after so long; 0 never
	drain      drain
}

// drain is how long a pod goes on serving after SIGTERM: until nobody has asked for a while, within bounds.
//
// A fixed time has to outlast the slowest gateway on the busiest machine, which nobody knows: behind Traefik the last
// request came 1 to 7.5 s after the deletion of a pod (demo/README.md). The pod itself sees when they have stopped.
type drain struct {
	least, quiet, most time.Duration
}

var defaultDrain = drain{least: 4 * time.Second, quiet: 4 * time.Second, most: 20 * time.Second}

// over tells whether to stop, `elapsed` after SIGTERM and `silence` after the last request.
func (d drain) over(elapsed, silence time.Duration) bool {
	return elapsed >= d.most || elapsed >= d.least && silence >= d.quiet
}

func readFaults(env func(string) string) (faults, error) {
	r := reader{env: env}
	f := faults{
		version:    env("VERSION"),
		errorRate:  r.number("ERROR_RATE", 0, 1, 0),
		startDelay: r.seconds("START_DELAY_S", 0),
		crashAfter: r.seconds("CRASH_AFTER_S", 0),
		drain: drain{
			least: r.seconds("DRAIN_S", defaultDrain.least),
			quiet: r.seconds("DRAIN_QUIET_S", defaultDrain.quiet),
			most:  r.seconds("DRAIN_MOST_S", defaultDrain.most),
		},
	}
	mean := r.number("LATENCY_MS", 0, 60_000, 0) * r.number("LATENCY_FACTOR", 0, 1000, 1)
	f.latency = time.Duration(mean * float64(time.Millisecond))
	if f.version == "" {
		f.version = "unversioned"
	}
	return f, r.err
}

// fails tells whether this request is to be answered with an error.
func (f faults) fails() bool { return f.errorRate > 0 && rand.Float64() < f.errorRate }

// delay is log-normal with the wished mean: latencies of real services have a long right tail, and a judge of
// latency is only tested by one that has.
func (f faults) delay() time.Duration {
	if f.latency <= 0 {
		return 0
	}
	const sigma = 0.5
	return time.Duration(float64(f.latency) * math.Exp(sigma*rand.NormFloat64()-sigma*sigma/2))
}

// reader collects the first error, so that all settings read as one list.
type reader struct {
	env func(string) string
	err error
}

func (r *reader) number(name string, low, high, absent float64) float64 {
	text := r.env(name)
	if text == "" {
		return absent
	}
	value, err := strconv.ParseFloat(text, 64)
	if (err != nil || !(value >= low && value <= high)) && r.err == nil {
		r.err = fmt.Errorf("%s=%q: a number from %g to %g is needed", name, text, low, high)
	}
	return value
}

func (r *reader) seconds(name string, absent time.Duration) time.Duration {
	return time.Duration(r.number(name, 0, 86_400, absent.Seconds()) * float64(time.Second))
}
