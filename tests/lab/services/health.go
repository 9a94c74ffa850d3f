package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// freshFor is how long an answer about a store or a dependency is given again. Probes, the operators' checks and the
// monitoring ask the same within moments; the store is asked once.
const freshFor = time.Second

// Check is what /health says about one thing that the service needs.
type Check struct {
	Kind      string  `json:"kind"` // store | service
	Status    string  `json:"status"`
	LatencyMS float64 `json:"latency_ms"`
	Error     string  `json:"error,omitempty"`
}

// probe asks one question at most once at a time, and not again while its answer is fresh.
type probe struct {
	name string
	kind string
	ask  func(context.Context) error

	mutex sync.Mutex
	asked time.Time
	last  Check
}

func (p *probe) check(ctx context.Context) Check {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.asked.IsZero() && time.Since(p.asked) < freshFor {
		return p.last
	}
	// The answer is shared, so it must not end with the caller that happened to ask for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	begun := time.Now()
	err := p.ask(ctx)
	p.asked = time.Now()
	p.last = Check{Kind: p.kind, Status: "up", LatencyMS: float64(p.asked.Sub(begun).Microseconds()) / 1000}
	if err != nil {
		p.last.Status, p.last.Error = "down", err.Error()
	}
	dependencyUp.WithLabelValues(p.name).Set(map[bool]float64{true: 1, false: 0}[err == nil])
	return p.last
}

// health answers /health, /health/ready and /health/live.
type health struct {
	config   Config
	faults   *faults
	stores   []*probe
	services []*probe
}

func newHealth(c Config, stores []Store, client *http.Client, f *faults) *health {
	h := &health{config: c, faults: f}
	for _, store := range stores {
		h.stores = append(h.stores, &probe{name: store.Name(), kind: "store", ask: store.Ping})
	}
	for _, target := range c.Dependencies {
		// A dependency is asked for its readiness, never for its health: its health asks for its own dependencies, and
		// billing-service and invoice-gen depend on each other.
		ask := func(ctx context.Context) error { return answers(ctx, client, target.URL+"/health/ready") }
		h.services = append(h.services, &probe{name: target.Name, kind: "service", ask: ask})
	}
	return h
}

func answers(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", url, response.StatusCode)
	}
	return nil
}

func checkAll(ctx context.Context, probes []*probe) (map[string]Check, bool) {
	checks := make(map[string]Check, len(probes))
	var mutex sync.Mutex
	var all sync.WaitGroup
	for _, p := range probes {
		all.Go(func() {
			check := p.check(ctx)
			mutex.Lock()
			defer mutex.Unlock()
			checks[p.name] = check
		})
	}
	all.Wait()
	for _, check := range checks {
		if check.Status != "up" {
			return checks, false
		}
	}
	return checks, true
}

// full answers /health: own data stores and direct dependencies. With ?probe=startup the dependencies are shown and not
// judged: two services that depend on each other would wait for each other for ever.
func (h *health) full(w http.ResponseWriter, r *http.Request) {
	h.faults.delay(r.Context())
	checks, ok := checkAll(r.Context(), h.stores)
	services, servicesOK := checkAll(r.Context(), h.services)
	for name, check := range services {
		checks[name] = check
	}
	if r.URL.Query().Get("probe") != "startup" {
		ok = ok && servicesOK
	}
	h.answer(w, ok && h.faults.isReady(), checks)
}

// ready answers /health/ready: own data stores only.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	checks, ok := checkAll(r.Context(), h.stores)
	h.answer(w, ok && h.faults.isReady(), checks)
}

// live answers /health/live: the process serves.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, h.faults.isLive(), map[string]Check{})
}

func (h *health) answer(w http.ResponseWriter, ok bool, checks map[string]Check) {
	status, code := "healthy", http.StatusOK
	if !ok {
		status, code = "unhealthy", http.StatusServiceUnavailable
	}
	writeJSON(w, code, map[string]any{
		"status": status, "service": h.config.Name, "namespace": h.config.Namespace, "region": h.config.Region,
		"version": h.config.Version, "pod": h.config.Pod, "uptime_seconds": int(time.Since(started).Seconds()), "checks": checks,
	})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
