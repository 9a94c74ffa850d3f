#!/usr/bin/env bash
# usage: wait_available.sh SECONDS KUBECTL KUBECONFIG CONTEXT…
# Waits until every Deployment and StatefulSet of the lab has all its replicas, and the metrics API answers.
set -euo pipefail
limit=$1 kubectl=$2 config=$3
shift 3
end=$((SECONDS + limit))
template='{{range .items}}{{.metadata.namespace}}/{{.metadata.name}} {{.spec.replicas}} {{or .status.availableReplicas 0}} {{or .status.updatedReplicas 0}}{{"\n"}}{{end}}'
for context in "$@"; do
  ask=("$kubectl" --kubeconfig "$config" --context "$context")
  while :; do
    late=$("${ask[@]}" get deployments,statefulsets -A -l app.kubernetes.io/managed-by=nexuscos-lab -o go-template="$template" |
      awk 'NF == 4 && ($2 != $3 || $2 != $4) {print $1 " " $3 "/" $2}')
    [ -z "$late" ] && "${ask[@]}" top nodes > /dev/null 2>&1 && break
    if [ $SECONDS -ge $end ]; then
      echo "$context is not complete after $limit s: ${late:-the metrics API does not answer}" >&2
      exit 1
    fi
    sleep 1
  done
done
