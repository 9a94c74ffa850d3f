# Words that the faults of Kubernetes share; to be sourced. Everything lives in one namespace, and carries the name of its
# fault as a label, by which it is found again: what was made half is also taken away.
# shellcheck shell=bash

cluster=us-east-1
namespace=nexus-lab-faults
label=nexuscos.ops/lab-fault

# kubectl in the cluster, as its administrator.
kube() { kubectl --context "$cluster" "$@"; }

# kubectl in the namespace of the faults.
k() { kube -n "$namespace" "$@"; }

# Apply a manifest from standard input to the namespace, which is made when it is not there.
apply() {
  kube get namespace "$namespace" > /dev/null 2>&1 || kube create namespace "$namespace" > /dev/null
  # The line tells that it is YAML: some versions of kubectl take what begins with a brace for JSON.
  { echo "---" && cat; } | k apply --server-side --force-conflicts --field-manager lab-fault -f - > /dev/null
}

# The image of the platform's services.
image() { kube -n nexus-platform get deployment backend-api -o jsonpath='{.spec.template.spec.containers[0].image}'; }

# deployment FAULT NAME [container's fields, YAML in braces' style] [pod's fields] [Deployment's fields]
# A Deployment of one pod with the services' image; fields of a later argument stand beside the others.
deployment() {
  cat << MANIFEST
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $2, labels: {$label: $1}}
spec:
  selector: {matchLabels: {app: $2}}
  template:
    metadata: {labels: {app: $2, $label: $1}}
    spec: $(pod "$2" "${3:-}" "${4:-}")
  ${5:-replicas: 1}
MANIFEST
}

# pod NAME [container's fields] [pod's fields]: the spec of a pod in one line of YAML.
pod() {
  local own=${2:-} fields='name: app'
  [[ $own == *ports:* ]] || fields+=', ports: [{name: http, containerPort: 8080}]'
  [[ $own == *resources:* ]] || fields+=', resources: {requests: {cpu: 5m, memory: 16Mi}, limits: {cpu: 200m, memory: 64Mi}}'
  [[ $own == *image:* ]] || fields+=", image: \"$(image)\""
  # shellcheck disable=SC2119 # none are wanted here
  [[ $own == *env:* ]] || fields+=", $(environment)"
  echo "{terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, enableServiceLinks: false, dnsPolicy: Default," \
    "containers: [{$fields${own:+, $own}}]${3:+, $3}}"
}

# environment NAME=VALUE…: the field env of a container, with what every service needs.
# shellcheck disable=SC2120 # the faults that source this give arguments
environment() {
  local pair list='{name: SERVICE_NAME, value: fault}, {name: SERVICE_PORT, value: "8080"}, {name: GOMAXPROCS, value: "1"}'
  for pair in "$@"; do list="$list, {name: ${pair%%=*}, value: \"${pair#*=}\"}"; done
  echo "env: [$list]"
}

# order NAME PATH JSON: give an order to the (only) pod of a Deployment, when it serves.
order() {
  k rollout status "deployment/$1" --timeout=90s > /dev/null
  k exec "deployment/$1" -- /service request -d "$3" "$2" > /dev/null
}

# heal FAULT [kind…]: delete everything of a fault.
heal() {
  kube get namespace "$namespace" > /dev/null 2>&1 || return 0
  local kinds=${2:-deployments,statefulsets,daemonsets,jobs,cronjobs,pods,services,ingresses,hpa,pdb,pvc,resourcequotas,configmaps,rolebindings}
  k delete "$kinds" -l "$label=$1" --ignore-not-found --wait=false > /dev/null
}

# signal NAME SIGNAL: send a signal to a daemon of the lab.
signal() { kill "-$2" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["pid"])' "$LAB/run/$1.json")"; }
