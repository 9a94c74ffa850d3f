// One service of the platform, as the lab plays it: real calls to the services that it depends on, real connections to
// its data stores, health, metrics and logs as the platform's facts describe them. All 43 services are this program; the
// configuration makes the difference.
//
//	service                         serve
//	service task                    ask the own data stores once and end (for Jobs)
//	service request [-d JSON] PATH  ask this pod's own server (for exec: the image holds no shell and no curl)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var started = time.Now()

func main() {
	config, err := configFromEnvironment()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("service", config.Name, "namespace", config.Namespace, "pod", config.Pod))
	if err != nil {
		slog.Error("wrong configuration", "error", err.Error())
		os.Exit(2)
	}
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 0:
		err = serve(config)
	case arguments[0] == "task":
		err = task(config)
	case arguments[0] == "request":
		err = request(config, arguments[1:], os.Stdout)
	default:
		err = fmt.Errorf("%q is none of: task, request", arguments[0])
	}
	if err != nil {
		slog.Error("ends", "error", err.Error())
		os.Exit(1)
	}
}

// routes wires a service.
func routes(c Config, stores []Store, f *faults) (http.Handler, *business) {
	client := newClient()
	b := &business{config: c, stores: stores, client: client, faults: f}
	h := newHealth(c, stores, client, f)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", h.full)
	mux.HandleFunc("GET /health/ready", h.ready)
	mux.HandleFunc("GET /health/live", h.live)
	mux.Handle("GET /metrics", metricsHandler())
	mux.Handle("/lab/", f.handler(c.Token))
	mux.HandleFunc("/{$}", counted(c.Name, "/", b.own))
	if len(c.Upstreams) > 0 {
		mux.HandleFunc("/api/", counted(c.Name, "/api", b.gateway))
	}
	return mux, b
}

func serve(c Config) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	f := &faults{}
	if c.CrashAfter > 0 {
		time.AfterFunc(c.CrashAfter, func() { f.crash(c.ExitCode) })
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(c.StartDelay):
	}
	stores, err := openStores(c)
	if err != nil {
		return err
	}
	handler, b := routes(c, stores, f)
	server := &http.Server{Addr: c.Listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second}
	if c.Traffic > 0 && len(c.TrafficTo) > 0 {
		go b.trickle(ctx)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("serves", "address", c.Listen, "version", c.Version, "region", c.Region)
	select {
	case err = <-failed:
	case <-ctx.Done():
		// The endpoints follow a moment later than the signal: requests that are on their way are still answered.
		time.Sleep(time.Second)
		bounded, stop := context.WithTimeout(context.Background(), 3*time.Second)
		defer stop()
		err = server.Shutdown(bounded)
		slog.Info("stopped")
	}
	for _, store := range stores {
		store.Close()
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// task asks every own data store once.
func task(c Config) error {
	stores, err := openStores(c)
	if err != nil {
		return err
	}
	var problems []error
	for _, store := range stores {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := store.Work(ctx); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", store.Name(), err))
		}
		cancel()
		store.Close()
	}
	slog.Info("task done", "stores", len(stores), "failed", len(problems))
	return errors.Join(problems...)
}

// request sends one request to this pod's own server, with the control token, and prints the answer.
func request(c Config, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("request", flag.ContinueOnError)
	data := flags.String("d", "", "JSON to send: makes it a POST")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 || !strings.HasPrefix(flags.Arg(0), "/") {
		return errors.New("request wants one path, such as /health")
	}
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if *data != "" {
		method, body = http.MethodPost, strings.NewReader(*data)
	}
	r, err := http.NewRequest(method, "http://127.0.0.1"+c.Listen+flags.Arg(0), body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(out, response.Body); err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return fmt.Errorf("answered %d", response.StatusCode)
	}
	return nil
}
