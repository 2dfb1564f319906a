#!/usr/bin/env bash
# A Docker engine that answers, and base images: scripts/docker-engine.sh [IMAGE…]
# Installs docker.io from Debian and starts dockerd where none runs. Images come from their registry; where there is a
# docker-here.sh in $SHOAL_LAB (default ../shared/lab), it makes stand-ins for them out of this machine's own programs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
node "$here/ensure-system.mjs" --for=compose
if ! docker info >/dev/null 2>&1; then
  [ "$(id -u)" = 0 ] || { echo "no Docker engine answers, and only root may start one" >&2; exit 1; }
  log=/var/log/shoal-dockerd.log
  setsid dockerd >"$log" 2>&1 </dev/null &
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && break
    sleep 0.5
  done
  docker info >/dev/null 2>&1 || { echo "dockerd did not start:" >&2; tail -n 20 "$log" >&2; exit 1; }
fi
# Another engine on this machine that was started without a bridge has taken this one's away.
if ! ip link show docker0 >/dev/null 2>&1 && docker network inspect bridge >/dev/null 2>&1; then
  subnet=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' bridge)
  net=${subnet%/*}
  ip link add docker0 type bridge
  ip addr add "${net%.*}.1/${subnet#*/}" dev docker0
  ip link set docker0 up
fi
lab=${SHOAL_LAB:-$here/../../shared/lab}
absent=()
for image in "$@"; do
  docker image inspect "$image" >/dev/null 2>&1 || absent+=("$image")
done
if [ ${#absent[@]} -gt 0 ] && [ -x "$lab/docker-here.sh" ]; then
  "$lab/docker-here.sh" "${absent[@]}"
else
  for image in "${absent[@]}"; do docker pull -q "$image"; done
fi
