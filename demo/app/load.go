package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// plan is what the load generator is asked to do.
type plan struct {
	url, host      string
	header         string // "name: value", sent with each request
	rps, keepAlive float64
	duration       time.Duration // 0: until SIGTERM, at most longest
	timeout        time.Duration
	concurrency    int
	reportFile     string
	status         string
}

// longest keeps a forgotten generator from running for ever and its per-second record from growing for ever.
const longest = 2 * time.Hour

func load(args []string) error {
	p, err := readPlan(args)
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	stop, cancelTime := context.WithTimeout(stop, p.duration)
	defer cancelTime()
	t := newTally(time.Now())
	if p.status != "" {
		// Bound here, so that a taken port is said at once and not by a silent goroutine.
		listener, err := net.Listen("tcp", p.status)
		if err != nil {
			return fmt.Errorf("--status: %w", err)
		}
		go func() { _ = http.Serve(listener, t) }()
	}
	newGenerator(p, t).run(stop)
	return writeReport(p.reportFile, t.snapshot(0))
}

func readPlan(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	flags.StringVar(&p.url, "url", "", "where to send GET requests")
	flags.StringVar(&p.host, "host", "", "Host header; empty: that of the URL")
	flags.StringVar(&p.header, "header", "", "`name: value` to send with each request")
	flags.Float64Var(&p.rps, "rps", 100, "requests started each second, whatever the answers do")
	flags.Float64Var(&p.keepAlive, "keep-alive", 0.8, "share of requests on kept connections, 0 to 1; the rest open one each")
	flags.DurationVar(&p.duration, "duration", longest, "how long; ends earlier on SIGTERM or SIGINT")
	flags.DurationVar(&p.timeout, "timeout", 5*time.Second, "a request without a whole answer by then has failed")
	flags.IntVar(&p.concurrency, "concurrency", 1000, "requests in flight at most; beyond it they are counted as unsent")
	flags.StringVar(&p.reportFile, "report-file", "", "final report as JSON; empty: standard output")
	flags.StringVar(&p.status, "status", "", "loopback address:port that serves the live counters as JSON")
	_ = flags.Parse(args)
	switch {
	case p.url == "":
		return p, fmt.Errorf("--url is needed")
	case p.header != "" && !strings.Contains(p.header, ": "):
		return p, fmt.Errorf("--header %q: write it as name: value", p.header)
	case p.rps <= 0 || p.rps > 20_000:
		return p, fmt.Errorf("--rps %g: more than 0, at most 20000", p.rps)
	case !(p.keepAlive >= 0 && p.keepAlive <= 1):
		return p, fmt.Errorf("--keep-alive %g: from 0 to 1", p.keepAlive)
	case p.concurrency < 1 || p.duration <= 0 || p.duration > longest || p.timeout <= 0:
		return p, fmt.Errorf("--concurrency, --timeout and --duration must be positive; duration at most %s", longest)
	}
	return p, nil
}

// generator is open-loop: a slow service gets as many requests as a fast one. A generator that waits for answers
// would send fewest requests exactly while the service is worst, and hide it.
type generator struct {
	plan
	tally       *tally
	kept, fresh *http.Client
	slots       chan struct{}
	inFlight    sync.WaitGroup
}

func newGenerator(p plan, t *tally) *generator {
	client := func(transport *http.Transport) *http.Client {
		return &http.Client{
			Transport: transport,
			Timeout:   p.timeout,
			// A redirect is not an answer of the service.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &generator{
		plan:  p,
		tally: t,
		kept:  client(&http.Transport{MaxIdleConnsPerHost: p.concurrency, IdleConnTimeout: 30 * time.Second}),
		fresh: client(&http.Transport{DisableKeepAlives: true}),
		slots: make(chan struct{}, p.concurrency),
	}
}

// run starts requests until stop, then waits for those in flight: each has its timeout, so this ends.
func (g *generator) run(stop context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for started := 0; stop.Err() == nil; {
		for due := int(time.Since(began).Seconds() * g.rps); started < due; started++ {
			g.start()
		}
		select {
		case <-tick.C:
		case <-stop.Done():
		}
	}
	g.inFlight.Wait()
}

func (g *generator) start() {
	select {
	case g.slots <- struct{}{}:
	default:
		g.tally.unsent()
		return
	}
	g.inFlight.Add(1)
	go func() {
		defer g.inFlight.Done()
		defer func() { <-g.slots }()
		g.tally.record(g.ask())
	}()
}

// ask sends one request and judges its answer.
func (g *generator) ask() outcome {
	var connections int
	// The HTTP client may send a GET again when a kept connection closes before any answer; as browsers and
	// gateways do. It is counted, so that nobody has to wonder how often it helped.
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connections++ }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodGet, g.url, nil)
	if err != nil {
		return outcome{failure: err.Error()}
	}
	request.Host = g.host
	if name, value, found := strings.Cut(g.header, ": "); found {
		request.Header.Set(name, value)
	}
	client := g.fresh
	if rand.Float64() < g.keepAlive {
		client = g.kept
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return outcome{failure: err.Error(), took: time.Since(began)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	o := outcome{version: response.Header.Get(versionHeader), began: began, took: time.Since(began), resent: connections > 1}
	switch {
	case err != nil:
		o.failure = "reading the answer: " + err.Error()
	case response.Header.Get(injectedHeader) != "":
		o.injected = true
	case response.StatusCode < 200 || response.StatusCode > 299:
		o.failure = fmt.Sprintf("%s: %.200s", response.Status, body)
	}
	return o
}

func writeReport(path string, report snapshot) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if path == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	// Renamed into place: who waits for the report never reads half of one.
	if err := os.WriteFile(path+".part", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
