package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	hopHeader   = "X-Hop-Limit"
	traceHeader = "X-Trace-Id"
	// defaultHops is how deep a request goes when its sender does not say: far enough for an error of a data store to
	// reach the gateway, and it ends the cycles.
	defaultHops = 3
	callTimeout = 3 * time.Second
)

// business answers requests as a service of the platform does: from its own stores and from the services that it needs.
type business struct {
	config Config
	stores []Store
	client *http.Client
	faults *faults
}

func newClient() *http.Client {
	return &http.Client{
		Timeout: callTimeout,
		// A kept connection stays with one pod behind the Service; a short idle time lets traffic follow the endpoints.
		Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * time.Second, ResponseHeaderTimeout: callTimeout},
	}
}

// own serves "/": the service's stores, then all its dependencies side by side.
func (b *business) own(w http.ResponseWriter, r *http.Request) {
	trace, hops := traceOf(r), hopsOf(r)
	begun := time.Now()
	status, err := b.work(r.Context(), trace, hops)
	b.log(r, trace, hops, status, begun, err)
	answer := map[string]any{"service": b.config.Name, "pod": b.config.Pod, "trace_id": trace, "ok": err == nil}
	if err != nil {
		answer["error"] = err.Error()
	}
	writeJSON(w, status, answer)
}

func (b *business) work(ctx context.Context, trace string, hops int) (int, error) {
	b.faults.delay(ctx)
	if b.faults.fails() {
		return http.StatusInternalServerError, errors.New("injected error")
	}
	for _, store := range b.stores {
		bounded, cancel := context.WithTimeout(ctx, storeTimeout)
		err := store.Work(bounded)
		cancel()
		if err != nil {
			return http.StatusServiceUnavailable, fmt.Errorf("%s: %w", store.Name(), err)
		}
	}
	if hops <= 0 {
		return http.StatusOK, nil
	}
	failed := make([]error, len(b.config.Dependencies))
	var all sync.WaitGroup
	for i, target := range b.config.Dependencies {
		all.Go(func() {
			if _, err := b.call(ctx, target, trace, hops-1); err != nil {
				failed[i] = fmt.Errorf("%s: %w", target.Name, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return http.StatusBadGateway, err
	}
	return http.StatusOK, nil
}

// gateway serves "/api/<service>": the answer of that service.
func (b *business) gateway(w http.ResponseWriter, r *http.Request) {
	trace, hops := traceOf(r), hopsOf(r)
	begun := time.Now()
	b.faults.delay(r.Context())
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
	status, err := http.StatusNotFound, fmt.Errorf("%q is no service of this gateway", name)
	if b.faults.fails() {
		status, err = http.StatusInternalServerError, errors.New("injected error")
	} else {
		for _, target := range b.config.Upstreams {
			if target.Name == name {
				status, err = b.call(r.Context(), target, trace, hops)
				break
			}
		}
	}
	b.log(r, trace, hops, status, begun, err)
	answer := map[string]any{"service": name, "gateway": b.config.Name, "trace_id": trace, "ok": err == nil}
	if err != nil {
		answer["error"] = err.Error()
	}
	writeJSON(w, status, answer)
}

// call asks one service; its own error comes back as 502 with its status in the text.
func (b *business) call(ctx context.Context, target Target, trace string, hops int) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.URL+"/", nil)
	if err != nil {
		return http.StatusInternalServerError, err
	}
	request.Header.Set(traceHeader, trace)
	request.Header.Set(hopHeader, strconv.Itoa(hops))
	response, err := b.client.Do(request)
	if err != nil {
		return http.StatusBadGateway, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	if response.StatusCode != http.StatusOK {
		return http.StatusBadGateway, fmt.Errorf("answered %d", response.StatusCode)
	}
	return http.StatusOK, nil
}

func (b *business) log(r *http.Request, trace string, hops, status int, begun time.Time, err error) {
	level, message, attributes := slog.LevelInfo, "request", []any{
		"trace_id", trace, "method", r.Method, "path", r.URL.Path, "status", status, "hops_left", hops,
		"duration_ms", float64(time.Since(begun).Microseconds()) / 1000,
	}
	if err != nil {
		level, message = slog.LevelError, "request failed"
		attributes = append(attributes, "error", err.Error())
	}
	slog.Log(r.Context(), level, message, attributes...)
}

// trickle sends requests to the gateway until the context ends, evenly spread over the services.
func (b *business) trickle(ctx context.Context) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / b.config.Traffic))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		name := b.config.TrafficTo[rand.IntN(len(b.config.TrafficTo))] //nolint:gosec // no secret depends on it
		go func() {
			trace, begun := newTrace(), time.Now()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.config.TrafficURL+"/api/"+name, nil)
			if err != nil {
				slog.Error("request failed", "error", err.Error())
				return
			}
			request.Header.Set(traceHeader, trace)
			status := 0
			response, err := b.client.Do(request)
			if err == nil {
				status = response.StatusCode
				_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
				_ = response.Body.Close()
				if status != http.StatusOK {
					err = fmt.Errorf("answered %d", status)
				}
			}
			b.log(request, trace, defaultHops, status, begun, err)
		}()
	}
}

func hopsOf(r *http.Request) int {
	hops, err := strconv.Atoi(r.Header.Get(hopHeader))
	if err != nil {
		return defaultHops
	}
	return min(max(hops, 0), defaultHops)
}

func traceOf(r *http.Request) string {
	if trace := r.Header.Get(traceHeader); trace != "" && len(trace) <= 64 {
		return trace
	}
	return newTrace()
}

func newTrace() string {
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) //nolint:gosec // no secret depends on it
}
