package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestASettingThatCannotWorkIsNamed(t *testing.T) {
	for name, value := range map[string]string{
		"ERROR_RATE": "3", "LATENCY_MS": "-1", "LATENCY_FACTOR": "much", "START_DELAY_S": "NaN", "CRASH_AFTER_S": "1s",
	} {
		if _, err := readFaults(environment(name, value)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestTheAddedLatencyHasTheWishedMean(t *testing.T) {
	f, err := readFaults(environment("LATENCY_MS", "10", "LATENCY_FACTOR", "2"))
	if err != nil {
		t.Fatal(err)
	}
	var sum time.Duration
	const n = 50_000
	for range n {
		sum += f.delay()
	}
	if mean := (sum / n).Seconds() * 1000; mean < 19.5 || mean > 20.5 {
		t.Errorf("mean %.2f ms, wished 20", mean)
	}
}

func TestInjectedErrorsAreMarkedAndCounted(t *testing.T) {
	s := newService(faults{version: "v3", errorRate: 1}, "pod-a")
	recorder := httptest.NewRecorder()
	s.routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != 500 || recorder.Header().Get(injectedHeader) != "true" || recorder.Header().Get(versionHeader) != "v3" {
		t.Errorf("%d %v", recorder.Code, recorder.Header())
	}
	var answer struct{ Version, Pod string }
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Version != "v3" || answer.Pod != "pod-a" {
		t.Errorf("%s %v", recorder.Body, err)
	}
	text := exposition(s)
	for _, line := range []string{
		`http_requests_total{code="200",method="GET",handler="/"} 0`,
		`http_requests_total{code="500",method="GET",handler="/"} 1`,
		`http_request_duration_seconds_count{handler="/"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

func ordered(s *service, query string) int {
	recorder := httptest.NewRecorder()
	s.routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/faults?"+query, nil))
	return recorder.Code
}

func TestABurstOfErrorsBeginsAtOnceAndEnds(t *testing.T) {
	s := newService(faults{}, "")
	now := time.Now()
	if s.burst.Load().fails(now) {
		t.Error("it fails before it was told to")
	}
	if code := ordered(s, "ERROR_RATE=1&FOR_S=60"); code != 200 {
		t.Fatal(code)
	}
	if !s.burst.Load().fails(now) || s.burst.Load().fails(now.Add(61*time.Second)) {
		t.Error("the burst does not last for 60 s")
	}
	for _, wrong := range []string{"ERROR_RATE=2", "FOR_S=-1", "BUCKETS=1,x", "BUCKETS=2,1", "BUCKETS=0,1"} {
		if code := ordered(s, wrong); code != 400 {
			t.Errorf("%s: %d", wrong, code)
		}
	}
}

func TestOtherBucketsBeginWithNothing(t *testing.T) {
	s := newService(faults{}, "")
	s.routes().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if code := ordered(s, "BUCKETS=0.007,0.07"); code != 200 {
		t.Fatal(code)
	}
	text := exposition(s)
	if !strings.Contains(text, `le="0.07"} 0`) || strings.Contains(text, `le="0.05"`) || !strings.Contains(text, `le="+Inf"} 0`) {
		t.Error(text)
	}
}

func TestOnlyTheServiceItselfIsCounted(t *testing.T) {
	s := newService(faults{}, "")
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/favicon.ico"} {
		s.routes().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	if text := exposition(s); !strings.Contains(text, "http_request_duration_seconds_count{handler=\"/\"} 0\n") {
		t.Error(text)
	}
}

func exposition(s *service) string {
	var text bytes.Buffer
	s.metrics.write(&text)
	return text.String()
}

func TestBucketsGrowByAtMostTwoThirdsAndAreCumulative(t *testing.T) {
	h := newHistogram()
	for i := 1; i < len(h.bounds); i++ {
		if ratio := h.bounds[i] / h.bounds[i-1]; ratio < 1.3 || ratio > 1.67 {
			t.Errorf("%g to %g", h.bounds[i-1], h.bounds[i])
		}
	}
	for _, seconds := range []float64{.0005, .001, .004, 4.9, 60} {
		h.observe(seconds)
	}
	var text bytes.Buffer
	h.write(&text, "d", `a="b"`)
	last := -1
	for lines := bufio.NewScanner(&text); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		if !strings.HasPrefix(name, "d_bucket") {
			continue
		}
		count, err := strconv.Atoi(value)
		if err != nil || count < last {
			t.Errorf("%s after %d", lines.Text(), last)
		}
		last = count
	}
	if last != 5 || h.counts[0] != 2 || h.quantile(.5) != .005 || h.quantile(1) != 5 {
		t.Errorf("%v %g %g", h.counts, h.quantile(.5), h.quantile(1))
	}
}

func TestAPodIsReadyAfterItsStartDelayAndNotWhileItDrains(t *testing.T) {
	ready := func(s *service) int {
		recorder := httptest.NewRecorder()
		s.routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return recorder.Code
	}
	s := newService(faults{startDelay: time.Minute}, "")
	if ready(s) != 503 {
		t.Error("ready before its start delay")
	}
	s.started = s.started.Add(-2 * time.Minute)
	if ready(s) != 200 {
		t.Error("not ready after its start delay")
	}
	s.draining.Store(true)
	if ready(s) != 503 {
		t.Error("ready while draining")
	}
}

func TestADrainEndsWhenNobodyAsksAnyMore(t *testing.T) {
	const s = time.Second
	d := drain{least: 3 * s, quiet: 2 * s, most: 20 * s}
	for _, c := range []struct {
		what             string
		elapsed, silence time.Duration
		over             bool
	}{
		{"silent, but too early", 2 * s, 2 * s, false},
		{"silent for long enough", 3 * s, 2 * s, true},
		{"still asked", 10 * s, s, false},
		{"asked for ever", 20 * s, 0, true},
	} {
		if d.over(c.elapsed, c.silence) != c.over {
			t.Errorf("%s: %v", c.what, !c.over)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestADrainingPodServesUntilItsDrainEndsAndAnswersWhatItHas(t *testing.T) {
	address := freeAddress(t)
	s := newService(faults{version: "v1", latency: 100 * time.Millisecond, drain: drain{least: time.Second, most: time.Second}}, "")
	stop, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(stop, address) }()
	client := &http.Client{Timeout: 5 * time.Second}
	ask := func() (*http.Response, error) { return client.Get("http://" + address + "/") }
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if response, err := ask(); err == nil {
			response.Body.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	cancel()
	for began := time.Now(); time.Since(began) < 700*time.Millisecond; {
		response, err := ask()
		if err != nil {
			t.Fatalf("while draining: %v", err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if !response.Close && s.draining.Load() && time.Since(began) > 300*time.Millisecond {
			t.Error("a reply while draining keeps its connection")
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := ask(); err == nil {
		t.Error("still serving after the drain")
	}
}

func TestTheLoadTellsInjectedErrorsFromFailures(t *testing.T) {
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(versionHeader, r.Host)
		switch n.Add(1) {
		case 1:
			w.Header().Set(injectedHeader, "true")
			w.WriteHeader(500)
		case 2:
			w.WriteHeader(502)
		case 3:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case 4:
			panic(http.ErrAbortHandler)
		case 5:
			time.Sleep(400 * time.Millisecond)
		}
	}))
	defer server.Close()
	count := newTally(time.Now())
	g := newGenerator(plan{url: server.URL, host: "shop.example", timeout: 200 * time.Millisecond, concurrency: 1}, count)
	for range 6 {
		count.record(g.ask())
	}
	got := count.snapshot(0)
	if c := got.Counts; c.Sent != 6 || c.OK != 1 || c.Injected != 1 || c.Failed != 4 || c.Versions["shop.example"] != 4 {
		t.Errorf("%+v", c)
	}
	if len(got.Failures) != 4 || !strings.HasPrefix(got.Failures[0].What, "502") {
		t.Errorf("%+v", got.Failures)
	}
}

func TestTheLoadIsOpenLoopAndBounded(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	count := newTally(time.Now())
	g := newGenerator(plan{url: server.URL, rps: 500, timeout: 5 * time.Second, concurrency: 10, keepAlive: .5}, count)
	stop, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	go func() { <-stop.Done(); close(release) }()
	g.run(stop)
	if c := count.snapshot(0).Counts; c.Sent != 10 || c.OK != 10 || c.Unsent < 100 || c.Unsent > 145 {
		t.Errorf("%+v", c)
	}
}

func TestOnlyTheFirstFailuresAreKept(t *testing.T) {
	count := newTally(time.Now())
	for i := range 50 {
		count.record(outcome{failure: strconv.Itoa(i)})
	}
	got := count.snapshot(0)
	if len(got.Failures) != failuresKept || got.Failures[19].What != "19" || got.Counts.Failed != 50 {
		t.Errorf("%+v", got)
	}
}

func TestTheLoadSendsItsHeaderAndSaysWhenEachVersionWasAskedLast(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(versionHeader, r.Header.Get("X-User"))
	}))
	defer server.Close()
	count := newTally(time.Now())
	for _, user := range []string{"ada", "eve", "ada"} {
		g := newGenerator(plan{url: server.URL, header: "X-User: " + user, timeout: time.Second, concurrency: 1}, count)
		count.record(g.ask())
	}
	c := count.snapshot(0).Counts
	if c.Versions["ada"] != 2 || c.Versions["eve"] != 1 || !c.LastSent["ada"].After(c.LastSent["eve"]) {
		t.Errorf("%+v", c)
	}
	late := outcome{version: "eve", began: time.Now().Add(-time.Hour)}
	count.record(late)
	if last := count.snapshot(0).Counts.LastSent["eve"]; !last.Equal(c.LastSent["eve"]) {
		t.Errorf("an earlier request that ended later counts: %v", last)
	}
}
