package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// burst is errors for a while, on top of those that the version has anyway.
type burst struct {
	rate  float64
	until time.Time
}

// fails tells whether a request that begins now is to be answered with an error; without a burst none is.
func (b *burst) fails(now time.Time) bool {
	return b != nil && now.Before(b.until) && rand.Float64() < b.rate
}

// order makes this one pod misbehave from now on: ERROR_RATE for FOR_S seconds, or latencies counted in other BUCKETS.
func (s *service) order(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	read := reader{env: asked.Get}
	rate, length := read.number("ERROR_RATE", 0, 1, 0), read.seconds("FOR_S", 0)
	bounds, err := bucketBounds(asked.Get("BUCKETS"))
	if read.err != nil {
		err = read.err
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if rate > 0 {
		s.burst.Store(&burst{rate, time.Now().Add(length)})
	}
	if bounds != nil {
		s.metrics.rebucket(bounds)
	}
}

// bucketBounds reads ascending seconds with commas between them; nothing for an empty text.
func bucketBounds(text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	var bounds []float64
	last := 0.0
	for _, part := range strings.Split(text, ",") {
		bound, err := strconv.ParseFloat(part, 64)
		if err != nil || !(bound > last) {
			return nil, fmt.Errorf("BUCKETS=%q: ascending seconds are needed, such as 0.01,0.1", text)
		}
		bounds, last = append(bounds, bound), bound
	}
	return bounds, nil
}
