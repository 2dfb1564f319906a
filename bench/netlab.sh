#!/usr/bin/env bash
# A lab of hosts with shaped links on this machine: network namespaces on one bridge. Needs root and iproute2.
#   netlab.sh up N RATE      N hosts, 0 to N-1, each with RATE up and RATE down (`none`: not shaped)
#   netlab.sh down           takes everything away, processes included
#   netlab.sh in I COMMAND…  runs a command on host I
#   netlab.sh rate I RATE    another rate for host I
#   netlab.sh cut I, heal I  takes host I off the network, and back
#   netlab.sh ip I, bridge   prints an address: of host I, of the machine itself (not shaped)
# NETLAB (default shl, at most 6 letters) prefixes every name, NETLAB_NET (default 10.78) the addresses.
# NETLAB_TCP (default cubic, as on Linux unless somebody changes it) is the congestion control of the hosts, whatever
# this machine itself has.
set -euo pipefail
prefix=${NETLAB:-shl}
net=${NETLAB_NET:-10.78}
tcp=${NETLAB_TCP:-cubic}
bridge=$prefix-br
[[ $prefix =~ ^[a-z]{1,6}$ ]] || { echo "netlab: NETLAB must be 1 to 6 small letters" >&2; exit 2; }

ip_of() { echo "$net.$(($1 / 250)).$(($1 % 250 + 1))"; }
spaces() { ip netns list | awk -v p="^$prefix[0-9]+$" '$1 ~ p { print $1 }'; }

# A bucket of 128 KiB takes two full segmentation-offload packets; the queue holds 100 ms.
shape() { # device rate [namespace]
  local where=()
  [ $# -lt 3 ] || where=(-n "$3")
  if [ "$2" = none ]; then tc "${where[@]}" qdisc del dev "$1" root 2>/dev/null || true
  else tc "${where[@]}" qdisc replace dev "$1" root tbf rate "$2" burst 128kb latency 100ms; fi
}

shape_host() { # host rate
  shape "$prefix-v$1" "$2"
  shape eth0 "$2" "$prefix$1"
}

down() {
  local space pids
  for space in $(spaces); do
    pids=$(ip netns pids "$space" 2>/dev/null || true)
    [ -z "$pids" ] || kill -TERM $pids 2>/dev/null || true
  done
  for space in $(spaces); do
    for _ in $(seq 40); do
      pids=$(ip netns pids "$space" 2>/dev/null || true)
      [ -n "$pids" ] || break
      sleep 0.05
    done
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    ip netns del "$space" 2>/dev/null || true
  done
  # A namespace goes away after its last process; its veth would stay until then.
  ip -o link show 2>/dev/null | awk -F'[ :@]+' -v p="^$prefix-v[0-9]+$" '$2 ~ p { print $2 }' |
    while read -r link; do ip link del "$link" 2>/dev/null || true; done
  ip link del "$bridge" 2>/dev/null || true
}

# A namespace may take only what the machine allows everybody: on some that is not all that it has.
allow_tcp() {
  local allowed
  allowed=$(sysctl -n net.ipv4.tcp_allowed_congestion_control)
  [[ " $allowed " == *" $tcp "* ]] || sysctl -q -w net.ipv4.tcp_allowed_congestion_control="$allowed $tcp" ||
    { echo "netlab: this kernel has no congestion control $tcp; NETLAB_TCP names another" >&2; exit 1; }
}

up() { # count rate
  allow_tcp
  down
  ip link add "$bridge" type bridge
  ip addr add "$net.255.254/16" dev "$bridge"
  ip link set "$bridge" up
  # Where the machine filters bridged packets (Docker turns that on), the lab's would be dropped.
  sysctl -q -w net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true
  local i
  for ((i = 0; i < $1; i++)); do
    ip netns add "$prefix$i"
    ip netns exec "$prefix$i" sysctl -q -w net.ipv4.tcp_congestion_control="$tcp"
    ip link add "$prefix-v$i" type veth peer name eth0 netns "$prefix$i"
    ip link set "$prefix-v$i" master "$bridge" up
    ip -n "$prefix$i" addr add "$(ip_of "$i")/16" dev eth0
    ip -n "$prefix$i" link set lo up
    ip -n "$prefix$i" link set eth0 up
    shape_host "$i" "$2"
  done
}

case "${1:-}" in
  up) up "$2" "$3" ;;
  down) down ;;
  in) host=$2; shift 2; exec ip netns exec "$prefix$host" "$@" ;;
  rate) shape_host "$2" "$3" ;;
  cut) ip link set "$prefix-v$2" down ;;
  heal) ip link set "$prefix-v$2" up ;;
  ip) ip_of "$2" ;;
  bridge) echo "$net.255.254" ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
