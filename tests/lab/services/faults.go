package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// faults is what can be made wrong with one instance while it runs. The zero value is a healthy instance.
type faults struct {
	mutex    sync.Mutex
	latency  time.Duration
	ratio    float64
	notReady bool
	notLive  bool
	ballast  [][]byte
	stop     context.CancelFunc // ends growth of memory and burning of CPU

	exit func(int)
}

func (f *faults) isReady() bool { f.mutex.Lock(); defer f.mutex.Unlock(); return !f.notReady }
func (f *faults) isLive() bool  { f.mutex.Lock(); defer f.mutex.Unlock(); return !f.notLive }

// delay waits for the latency that was asked for, or until the caller is gone.
func (f *faults) delay(ctx context.Context) {
	f.mutex.Lock()
	wait := f.latency
	f.mutex.Unlock()
	if wait <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// fails says whether this request is one of those that were asked to fail.
func (f *faults) fails() bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.ratio > 0 && rand.Float64() < f.ratio //nolint:gosec // no secret depends on it
}

// order is the body of POST /lab/<name>; each order reads its own fields.
type order struct {
	Milliseconds int     `json:"milliseconds"` // latency
	Ratio        float64 `json:"ratio"`        // errors
	Mebibytes    int     `json:"mebibytes"`    // memory: how much in all
	PerSecond    int     `json:"per_second"`   // memory: how fast, MiB a second; default 10
	Cores        int     `json:"cores"`        // cpu; default 1
	Seconds      float64 `json:"seconds"`      // cpu; default until healed
	ExitCode     *int    `json:"exit_code"`    // crash; default 1
	OK           bool    `json:"ok"`           // ready, live
}

// handler serves /lab/: GET shows the faults, POST sets one, each only with the token from the service's Secret.
func (f *faults) handler(token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if token == "" || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "the control token is missing or wrong"})
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/lab/")
		if r.Method == http.MethodPost {
			var asked order
			if r.ContentLength != 0 {
				if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<12)).Decode(&asked); err != nil {
					writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
					return
				}
			}
			if problem := f.obey(name, asked); problem != "" {
				writeJSON(w, http.StatusBadRequest, map[string]string{"error": problem})
				return
			}
			slog.Warn("fault", "name", name, "order", asked)
		}
		writeJSON(w, http.StatusOK, f.state())
	})
}

// obey carries out an order; it answers what is wrong with it, or nothing.
func (f *faults) obey(name string, asked order) string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	switch name {
	case "latency":
		if asked.Milliseconds < 0 {
			return "milliseconds is negative"
		}
		f.latency = time.Duration(asked.Milliseconds) * time.Millisecond
	case "errors":
		if asked.Ratio < 0 || asked.Ratio > 1 {
			return "ratio is not from 0 to 1"
		}
		f.ratio = asked.Ratio
	case "ready":
		f.notReady = !asked.OK
	case "live":
		f.notLive = !asked.OK
	case "memory":
		if asked.Mebibytes <= 0 {
			return "mebibytes must be more than 0"
		}
		go f.grow(f.running(0), asked.Mebibytes, max(asked.PerSecond, 1))
	case "cpu":
		ctx := f.running(time.Duration(asked.Seconds * float64(time.Second)))
		for range max(asked.Cores, 1) {
			go burn(ctx)
		}
	case "crash":
		code := 1
		if asked.ExitCode != nil {
			code = *asked.ExitCode
		}
		// The answer must be out before the process is.
		time.AfterFunc(100*time.Millisecond, func() { f.crash(code) })
	case "heal":
		if f.stop != nil {
			f.stop()
			f.stop = nil
		}
		f.latency, f.ratio, f.notReady, f.notLive, f.ballast = 0, 0, false, false, nil
	default:
		return "there is no such fault: latency, errors, ready, live, memory, cpu, crash, heal"
	}
	return ""
}

// running gives the context of the faults that go on by themselves, until healed or (if limit is not 0) for that long.
// The caller holds the mutex.
func (f *faults) running(limit time.Duration) context.Context {
	if f.stop != nil {
		f.stop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		time.AfterFunc(limit, cancel)
	}
	f.stop = cancel
	return ctx
}

func (f *faults) crash(code int) {
	slog.Error("the process ends on an order of the lab", "exit_code", code)
	exit := f.exit
	if exit == nil {
		exit = os.Exit
	}
	exit(code)
}

func (f *faults) grow(ctx context.Context, mebibytes, perSecond int) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for range mebibytes {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1 // only a touched page counts
		}
		f.mutex.Lock()
		f.ballast = append(f.ballast, block)
		f.mutex.Unlock()
	}
}

func burn(ctx context.Context) {
	x := uint64(1)
	for ctx.Err() == nil {
		for range 1 << 16 {
			x = x*6364136223846793005 + 1442695040888963407
		}
	}
	runtime.KeepAlive(x) // else the compiler leaves the work out
}

func (f *faults) state() map[string]any {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return map[string]any{
		"latency_ms": f.latency.Milliseconds(), "error_ratio": f.ratio, "ready": !f.notReady, "live": !f.notLive,
		"ballast_mebibytes": len(f.ballast), "running": f.stop != nil,
	}
}
