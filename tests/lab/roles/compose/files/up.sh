#!/usr/bin/env bash
# usage: up.sh SOCKET COMPOSE FOLDER SERVICE_SCRIPT SERVICE…
# Makes the images that are not there, from programs of the machine: no registry is asked. Then brings the project up. Prints what it made.
set -euo pipefail
export DOCKER_HOST=unix://$1
compose=$2 folder=$3 script=$4
shift 4
docker() { /usr/bin/docker "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# have NAME DIGEST: whether the image is there and made of the same
have() { [ "$(docker image inspect --format '{{index .Config.Labels "nexuscos-lab"}}' "$1" 2> /dev/null)" = "$2" ]; }
base() {
  mkdir -p "$1/bin" "$1/tmp" "$1/www"
  cp /bin/busybox "$1/bin/"
  for applet in sh cat date httpd kill mkdir printf rm sleep tail wget; do ln -s busybox "$1/bin/$applet"; done
  install -m 0755 "$script" "$1/bin/service"
}
make() { # NAME DIGEST FOLDER CHANGE…
  local name=$1 digest=$2 root=$3
  shift 3
  tar -C "$root" --owner=0 --group=0 --numeric-owner -cf - . | docker import --change "LABEL nexuscos-lab=$digest" --change 'ENV PATH=/bin:/usr/bin' "$@" - "$name" > /dev/null
  echo "$name"
}

digest=$(cat /bin/busybox "$script" "$0" | sha256sum | cut -c1-16)
if ! have nexus-cos/migrate:1.0 "$digest"; then
  base "$work/service"
  make nexus-cos/migrate:1.0 "$digest" "$work/service" --change 'ENTRYPOINT ["/bin/service"]' --change 'CMD ["migrate"]'
fi
for service; do
  if ! have "nexus-cos/$service:1.0" "$digest"; then docker tag nexus-cos/migrate:1.0 "nexus-cos/$service:1.0"; fi
done
programs=(/usr/bin/redis-server /usr/bin/redis-cli)
digest=$(cat "${programs[@]}" "$0" | sha256sum | cut -c1-16)
if ! have nexus-cos/redis:7.0 "$digest"; then
  mkdir -p "$work/redis/data" "$work/redis/bin"
  for program in "${programs[@]}"; do cp -L "$program" "$work/redis/bin/"; done
  # with the libraries where their loader looks for them
  ldd "${programs[@]}" | grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$work/redis$(dirname "$library")"
    cp -L "$library" "$work/redis$library"
  done
  make nexus-cos/redis:7.0 "$digest" "$work/redis" --change 'WORKDIR /data' \
    --change 'ENTRYPOINT ["redis-server", "--dir", "/data", "--appendonly", "yes", "--save", "", "--hz", "1"]'
fi
cd "$folder"
rm -rf compose.override.yml override.d # of a fault that was never healed
if [ -n "${ENGINE_IS_NEW:-}" ]; then docker ps --quiet --filter "label=com.docker.compose.project" | xargs -r /usr/bin/docker restart > /dev/null; fi
before=$(docker ps --quiet --no-trunc | sort)
up() { "$compose" up --detach --pull never --no-build --remove-orphans --quiet-pull > "$work/log" 2>&1; }
# twice: on a machine that is busy the first may wait for the health of the cache in vain
up || up || {
  cat "$work/log" >&2
  exit 1
}
comm -13 <(echo "$before") <(docker ps --quiet --no-trunc | sort) | sed '/^$/d; s/^/container /'
