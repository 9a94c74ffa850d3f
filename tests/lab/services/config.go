package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Target is another service of the platform.
type Target struct {
	Name string
	URL  string
}

// Config is one service of the platform. It comes from the environment: the plain part from the service's
// ConfigMap, passwords and the control token from its Secret.
type Config struct {
	Name      string
	Namespace string
	Region    string
	Version   string
	Pod       string
	Listen    string

	// Dependencies are called by every business request and judged by /health.
	Dependencies []Target
	// Upstreams are reached as /api/<name>: what makes a service the gateway. They are not judged by /health.
	Upstreams []Target

	// Own data stores; an empty address means that the service has none of the kind. PostgreSQL is configured by the
	// PG* variables that every client of it knows.
	Postgres string
	Redis    string
	RedisKey string
	MongoDB  string

	// Token opens /lab/; an empty one keeps it shut.
	Token string

	// Traffic is the number of requests a second that this instance sends to the gateway. 0: none.
	Traffic    float64
	TrafficURL string
	TrafficTo  []string

	// Faults that must outlive a restart of the container stand in the environment.
	StartDelay time.Duration
	CrashAfter time.Duration
	ExitCode   int
}

// configFrom reads a configuration; get is os.Getenv outside the tests.
func configFrom(get func(string) string) (Config, error) {
	c := Config{
		Name:       get("SERVICE_NAME"),
		Namespace:  get("SERVICE_NAMESPACE"),
		Region:     get("SERVICE_REGION"),
		Version:    get("SERVICE_VERSION"),
		Pod:        get("POD_NAME"),
		Listen:     ":" + get("SERVICE_PORT"),
		Postgres:   get("PGHOST"),
		Redis:      get("REDIS_ADDRESS"),
		RedisKey:   get("REDIS_PASSWORD"),
		MongoDB:    get("MONGODB_URI"),
		Token:      get("LAB_TOKEN"),
		TrafficURL: get("TRAFFIC_URL"),
		TrafficTo:  strings.Fields(get("TRAFFIC_SERVICES")),
		ExitCode:   1,
	}
	var problems []error
	if c.Name == "" {
		problems = append(problems, errors.New("SERVICE_NAME is empty"))
	}
	if port, err := strconv.Atoi(get("SERVICE_PORT")); err != nil || port < 1 || port > 65535 {
		problems = append(problems, fmt.Errorf("SERVICE_PORT is %q, not a port", get("SERVICE_PORT")))
	}
	var err error
	if c.Dependencies, err = targets(get("DEPENDENCIES")); err != nil {
		problems = append(problems, fmt.Errorf("DEPENDENCIES: %w", err))
	}
	if c.Upstreams, err = targets(get("UPSTREAMS")); err != nil {
		problems = append(problems, fmt.Errorf("UPSTREAMS: %w", err))
	}
	if text := get("TRAFFIC_RATE"); text != "" {
		if c.Traffic, err = strconv.ParseFloat(text, 64); err != nil || c.Traffic < 0 || c.Traffic > 1000 {
			problems = append(problems, fmt.Errorf("TRAFFIC_RATE is %q, not a number of requests a second from 0 to 1000", text))
		}
	}
	for name, field := range map[string]*time.Duration{"LAB_START_DELAY": &c.StartDelay, "LAB_CRASH_AFTER": &c.CrashAfter} {
		if text := get(name); text != "" {
			if *field, err = time.ParseDuration(text); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if text := get("LAB_EXIT_CODE"); text != "" {
		if c.ExitCode, err = strconv.Atoi(text); err != nil {
			problems = append(problems, fmt.Errorf("LAB_EXIT_CODE: %w", err))
		}
	}
	return c, errors.Join(problems...)
}

// targets reads "name=url name=url".
func targets(text string) ([]Target, error) {
	var all []Target
	for _, word := range strings.Fields(text) {
		name, url, found := strings.Cut(word, "=")
		if !found || name == "" || !strings.HasPrefix(url, "http") {
			return nil, fmt.Errorf("%q is not name=url", word)
		}
		all = append(all, Target{Name: name, URL: strings.TrimSuffix(url, "/")})
	}
	return all, nil
}

func configFromEnvironment() (Config, error) { return configFrom(os.Getenv) }
