#!/bin/sh
# usage: service.sh serve NAME PORT | migrate | crash CODE | say TEXT CODE | eat: what the containers of the Compose project run
NAME=$1
log() { printf '{"time":"%s","level":"%s","service":"%s","message":"%s"}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$NAME" "$2"; }
case $1 in
  serve)
    NAME=$2
    mkdir -p /www
    printf '{"status":"healthy","service":"%s"}\n' "$NAME" > /www/health
    httpd -f -p "$3" -h /www &
    server=$!
    trap 'log info "stopping"; kill $server; exit 0' TERM INT
    log info "listening on port $3"
    while kill -0 "$server" 2> /dev/null; do
      sleep 60 &
      wait $!
      log info "alive"
    done
    log error "the server has ended"
    exit 1
    ;;
  migrate) log info "schema is up to date" ;;
  crash)
    log error "cannot start: connect to postgresql://nexus:hunter2@db1/nexusdb: connection refused"
    sleep 1
    exit "$2"
    ;;
  eat) exec tail /dev/zero ;;
  *) exec "$@" ;;
esac
