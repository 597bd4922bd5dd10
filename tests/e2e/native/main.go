// A service whose latencies are a native histogram, by the client library that real services use: what the demo's own
// exposition in text cannot have.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Spread of the log-normal time that each request takes.
const sigma = 0.5

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "serin-native:", err)
		os.Exit(1)
	}
}

// serve runs until SIGTERM; LATENCY_MS is the mean time of a request, 10 when absent.
func serve() error {
	mean := 10.0
	if text := os.Getenv("LATENCY_MS"); text != "" {
		var err error
		if mean, err = strconv.ParseFloat(text, 64); err != nil || !(mean > 0) {
			return fmt.Errorf("LATENCY_MS=%q: a number above 0 is needed", text)
		}
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	server := &http.Server{Addr: ":8080", Handler: routes(mean), IdleTimeout: 3 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	// The gateway hears of the deletion later.
	time.Sleep(5 * time.Second)
	bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes(mean float64) http.Handler {
	registry := prometheus.NewRegistry()
	// No classic buckets are given: there are native ones only.
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:                        "http_request_duration_seconds",
		Help:                        "Time to answer.",
		NativeHistogramBucketFactor: 1.1,
	})
	registry.MustRegister(took)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		began := time.Now()
		time.Sleep(time.Duration(mean * float64(time.Millisecond) * math.Exp(sigma*rand.NormFloat64()-sigma*sigma/2)))
		took.Observe(time.Since(began).Seconds())
		fmt.Fprintln(w, "served")
	})
	return mux
}
