package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// fakeStore answers with what the test puts in.
type fakeStore struct{ err error }

func (f *fakeStore) Name() string               { return "postgresql" }
func (f *fakeStore) Ping(context.Context) error { return f.err }
func (f *fakeStore) Work(context.Context) error { return f.err }
func (f *fakeStore) Close()                     {}

func serveTest(t *testing.T, c Config, stores ...Store) (*httptest.Server, *faults) {
	t.Helper()
	f := &faults{exit: func(int) {}}
	handler, _ := routes(c, stores, f)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server, f
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func TestHealthTellsOwnStoreFromDependency(t *testing.T) {
	dependency, faults := serveTest(t, Config{Name: "user-auth"})
	store := &fakeStore{}
	server, _ := serveTest(t, Config{Name: "auth-service", Dependencies: []Target{{"user-auth", dependency.URL}}}, store)

	if code, body := get(t, server.URL+"/health"); code != 200 || !strings.Contains(body, `"user-auth":{"kind":"service","status":"up"`) {
		t.Fatalf("healthy: %d %s", code, body)
	}
	faults.obey("ready", order{OK: false})
	time.Sleep(freshFor + 50*time.Millisecond)
	if code, body := get(t, server.URL+"/health"); code != 503 || !strings.Contains(body, "answers 503") {
		t.Errorf("a dependency that is not ready: /health %d %s", code, body)
	}
	if code, _ := get(t, server.URL+"/health/ready"); code != 200 {
		t.Errorf("a dependency must not make the service not ready: %d", code)
	}
	if code, _ := get(t, server.URL+"/health?probe=startup"); code != 200 {
		t.Errorf("a dependency must not keep the service from starting: %d", code)
	}
	store.err = errors.New("connection refused")
	time.Sleep(freshFor + 50*time.Millisecond)
	for _, path := range []string{"/health", "/health/ready", "/health?probe=startup"} {
		if code, body := get(t, server.URL+path); code != 503 || !strings.Contains(body, "connection refused") {
			t.Errorf("a dead store: %s %d %s", path, code, body)
		}
	}
	if code, _ := get(t, server.URL+"/health/live"); code != 200 {
		t.Errorf("a dead store must not restart the service: %d", code)
	}
}

func TestServicesThatNeedEachOtherAnswer(t *testing.T) {
	var first, second http.Handler
	one := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { first.ServeHTTP(w, r) }))
	defer one.Close()
	two := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { second.ServeHTTP(w, r) }))
	defer two.Close()
	first, _ = routes(Config{Name: "billing-service", Dependencies: []Target{{"invoice-gen", two.URL}}}, nil, &faults{})
	second, _ = routes(Config{Name: "invoice-gen", Dependencies: []Target{{"billing-service", one.URL}}}, nil, &faults{})

	for _, path := range []string{"/health", "/"} {
		if code, body := get(t, one.URL+path); code != 200 {
			t.Errorf("%s of a cycle: %d %s", path, code, body)
		}
	}
}

func TestErrorsTravelToTheGatewayAndIntoTheMetrics(t *testing.T) {
	ledger, f := serveTest(t, Config{Name: "ledger-mgr"})
	invoice, _ := serveTest(t, Config{Name: "invoice-gen", Dependencies: []Target{{"ledger-mgr", ledger.URL}}})
	gateway, _ := serveTest(t, Config{Name: "backend-api", Upstreams: []Target{{"invoice-gen", invoice.URL}}})

	if code, body := get(t, gateway.URL+"/api/invoice-gen"); code != 200 {
		t.Fatalf("healthy: %d %s", code, body)
	}
	if code, _ := get(t, gateway.URL+"/api/nobody"); code != 404 {
		t.Errorf("an unknown service: %d", code)
	}
	f.obey("errors", order{Ratio: 1})
	if code, body := get(t, gateway.URL+"/api/invoice-gen"); code != 502 || !strings.Contains(body, "502") {
		t.Errorf("a failing dependency of a dependency: %d %s", code, body)
	}
	_, metrics := get(t, gateway.URL+"/metrics")
	for _, want := range []string{
		`http_requests_total{method="GET",path="/",service="ledger-mgr",status="500"} 1`,
		`http_requests_total{method="GET",path="/",service="invoice-gen",status="502"} 1`,
		`http_requests_total{method="GET",path="/api",service="backend-api",status="502"} 1`,
		`http_request_duration_seconds_count{method="GET",path="/api",service="backend-api"} 3`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(metrics, "/health") {
		t.Error("probes are counted as business requests")
	}
}

func TestControlWantsTheToken(t *testing.T) {
	server, f := serveTest(t, Config{Name: "x", Token: "secret"})
	shut, _ := serveTest(t, Config{Name: "y"})
	post := func(url, token, body string) int {
		r, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(body)) //nolint:noctx // a test
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	for _, one := range []struct {
		url, token, body string
		want             int
	}{
		{server.URL + "/lab/live", "", `{"ok":false}`, 401},
		{server.URL + "/lab/live", "wrong", `{"ok":false}`, 401},
		{shut.URL + "/lab/live", "", `{"ok":false}`, 401},
		{server.URL + "/lab/errors", "secret", `{"ratio":2}`, 400},
		{server.URL + "/lab/nothing", "secret", `{}`, 400},
		{server.URL + "/lab/live", "secret", `{"ok":false}`, 200},
	} {
		if got := post(one.url, one.token, one.body); got != one.want {
			t.Errorf("%s with %q and %s: %d, not %d", one.url, one.token, one.body, got, one.want)
		}
	}
	if f.isLive() {
		t.Error("the order was not carried out")
	}
	post(server.URL+"/lab/heal", "secret", "")
	if !f.isLive() {
		t.Error("healing did not heal")
	}
}

func TestMemoryGrowsAndIsGivenBack(t *testing.T) {
	f := &faults{}
	f.obey("memory", order{Mebibytes: 3, PerSecond: 100})
	for deadline := time.Now().Add(5 * time.Second); f.state()["ballast_mebibytes"] != 3; {
		if time.Now().After(deadline) {
			t.Fatalf("it did not grow: %v", f.state())
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.obey("heal", order{})
	if f.state()["ballast_mebibytes"] != 0 {
		t.Errorf("it was not given back: %v", f.state())
	}
}

func TestConfigurationSaysEverythingThatIsWrong(t *testing.T) {
	values := map[string]string{"SERVICE_PORT": "http", "DEPENDENCIES": "user-auth", "TRAFFIC_RATE": "-1", "LAB_CRASH_AFTER": "soon"}
	_, err := configFrom(func(name string) string { return values[name] })
	for _, want := range []string{"SERVICE_NAME", "SERVICE_PORT", "DEPENDENCIES", "TRAFFIC_RATE", "LAB_CRASH_AFTER"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
	values = map[string]string{"SERVICE_NAME": "x", "SERVICE_PORT": "3001", "DEPENDENCIES": "a=http://a:1/ b=http://b:2"}
	c, err := configFrom(func(name string) string { return values[name] })
	if err != nil || len(c.Dependencies) != 2 || c.Dependencies[0].URL != "http://a:1" {
		t.Errorf("a good configuration: %+v %v", c, err)
	}
}
