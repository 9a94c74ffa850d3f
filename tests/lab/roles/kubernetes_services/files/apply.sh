#!/usr/bin/env bash
# usage: apply.sh KUBECTL KUBECONFIG CONTEXT:FOLDER…
# Applies a folder of manifests to each cluster, side by side; prints what was created or changed.
set -euo pipefail
kubectl=$1 config=$2
shift 2
jobs=()
for pair in "$@"; do
  "$kubectl" --kubeconfig "$config" --context "${pair%%:*}" apply --server-side --force-conflicts \
    --field-manager nexuscos-lab -f "${pair#*:}" > "${pair#*:}/.applied" 2> "${pair#*:}/.problems" &
  jobs+=($!)
done
failed=0
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
for pair in "$@"; do
  [ $failed = 0 ] || cat "${pair#*:}/.problems" >&2
  cat "${pair#*:}/.applied"
done
exit $failed
