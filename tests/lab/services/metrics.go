package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The platform's metric names (monitoring, in its facts). Probes are not counted: at a trickle of traffic they would
// hide every error ratio.
var (
	registry      = prometheus.NewRegistry()
	requestsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Business requests answered.",
	}, []string{"service", "method", "path", "status"})
	requestSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time to answer a business request.",
	}, []string{"service", "method", "path"})
	dependencyUp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "dependency_up", Help: "1 when the data store or service answered the last time it was asked.",
	}, []string{"dependency"})
)

func init() {
	registry.MustRegister(requestsTotal, requestSeconds, dependencyUp,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func metricsHandler() http.Handler { return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}) }

// recorder keeps the status that a handler answered.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// counted counts a handler's requests under one path, so that the number of series stays small.
func counted(service, path string, next func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seen, begun := &recorder{ResponseWriter: w, status: http.StatusOK}, time.Now()
		next(seen, r)
		requestsTotal.WithLabelValues(service, r.Method, path, strconv.Itoa(seen.status)).Inc()
		requestSeconds.WithLabelValues(service, r.Method, path).Observe(time.Since(begun).Seconds())
	}
}
