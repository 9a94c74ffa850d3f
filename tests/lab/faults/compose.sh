# shellcheck shell=bash
# Helpers of the faults in the Compose project. A fault sources this file; it runs with the lab's environment.
compose_fact() { python -c 'import json, sys; print(json.load(open(sys.argv[1]))["compose"][sys.argv[2]])' "$LAB/lab.json" "$1"; }
COMPOSE_SOCKET=$(compose_fact socket)
COMPOSE_SRC=$(compose_fact src)
COMPOSE_CLI=$(compose_fact cli)
COMPOSE_PROJECT=$(compose_fact project)
export DOCKER_HOST=unix://$COMPOSE_SOCKET COMPOSE_SRC COMPOSE_PROJECT

docker() { /usr/bin/docker "$@"; }
compose() { "$COMPOSE_CLI" --project-directory "$COMPOSE_SRC" --progress quiet "$@"; }

# compose_say FAULT JSON: write this into the project's file; compose_unsay FAULT: take it out again
compose_say() { python tests/lab/faults/compose.py add "$1" "$2"; }
compose_unsay() { python tests/lab/faults/compose.py remove "$1"; }

# compose_service FAULT SERVICE JSON: write a service into the file, and start it
compose_service() {
  compose_say "$1" "{\"services\": {\"$2\": $3}}"
  compose up --detach --no-deps --pull never "$2"
}
# compose_gone FAULT SERVICE: the same back
compose_gone() {
  compose_container "$2" | xargs -r /usr/bin/docker rm --force > /dev/null
  compose_unsay "$1"
}
compose_engine() { python tests/lab/faults/compose.py "$1"; }
# an engine that was restarted does not probe the containers that lived on: they must be started afresh
compose_probe_again() { docker ps --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" | xargs -r /usr/bin/docker restart > /dev/null; }
# compose_container SERVICE: ids of its containers
compose_container() { docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" --filter "label=com.docker.compose.service=$1"; }
# the lines that a service of the platform has in common with the others
export COMPOSE_LOGGING='"logging": {"driver": "json-file", "options": {"max-size": "1m"}}'
