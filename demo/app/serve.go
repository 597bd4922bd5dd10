package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	versionHeader  = "X-Version"
	injectedHeader = "X-Injected-Fault"
)

// service is one pod of the demo.
type service struct {
	faults   faults
	pod      string
	metrics  *metrics
	started  time.Time
	draining atomic.Bool
	burst    atomic.Pointer[burst]
	asked    atomic.Int64 // when the last request came, in nanoseconds since the epoch
}

// serve runs until SIGTERM or SIGINT. As PID 1 of its container it has no default signal action, so what it does
// not handle would cost the whole grace period at each deletion.
func serve(env func(string) string) error {
	f, err := readFaults(env)
	if err != nil {
		return err
	}
	s := newService(f, env("POD"))
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if f.crashAfter > 0 {
		time.AfterFunc(f.crashAfter, func() {
			fmt.Fprintln(os.Stderr, "CRASH_AFTER_S: exiting")
			os.Exit(1)
		})
	}
	address := env("LISTEN")
	if address == "" {
		address = ":8080"
	}
	return s.run(stop, address)
}

func newService(f faults, pod string) *service {
	if pod == "" {
		pod, _ = os.Hostname()
	}
	now := time.Now()
	return &service{faults: f, pod: pod, metrics: newMetrics(now), started: now}
}

func (s *service) run(stop context.Context, address string) error {
	server := &http.Server{
		Addr:              address,
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		// Longer than a gateway keeps its idle connections (Traefik: 90 s): the side that sends decides when an idle
		// connection ends, or a request may meet its closing.
		IdleTimeout: 3 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	s.serveOn()
	bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveOn waits until the drain is over. What was asked last is logged: it is how late the gateway heard.
func (s *service) serveOn() {
	began := time.Now()
	s.draining.Store(true)
	for {
		asked := time.Unix(0, s.asked.Load())
		if s.faults.drain.over(time.Since(began), time.Since(asked)) {
			fmt.Fprintf(os.Stderr, "draining took %.1f s; last asked %.1f s after SIGTERM\n",
				time.Since(began).Seconds(), max(0, asked.Sub(began).Seconds()))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.answer)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", s.readiness)
	mux.HandleFunc("POST /faults", s.order)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		s.metrics.write(w)
	})
	return mux
}

// answer is the only handler that is counted: probes and scrapes always succeed and would thin out the error rate.
func (s *service) answer(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	s.asked.Store(began.UnixNano())
	time.Sleep(s.faults.delay())
	code := http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(versionHeader, s.faults.version)
	if s.draining.Load() {
		// Each reply while draining hands one pooled connection back, so that few are left to be cut at the end.
		w.Header().Set("Connection", "close")
	}
	if s.faults.fails() || s.burst.Load().fails(began) {
		code = http.StatusInternalServerError
		w.Header().Set(injectedHeader, "true")
	}
	w.WriteHeader(code)
	// A client that hangs up is not this server's error.
	_ = json.NewEncoder(w).Encode(map[string]string{"version": s.faults.version, "pod": s.pod})
	s.metrics.observe(series{strconv.Itoa(code), r.Method, "/"}, time.Since(began))
}

func (s *service) readiness(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.draining.Load():
		http.Error(w, "draining", http.StatusServiceUnavailable)
	case time.Since(s.started) < s.faults.startDelay:
		http.Error(w, "starting", http.StatusServiceUnavailable)
	}
}
