#!/bin/sh
# Usage: switch-init.sh ROUTER_CIDR READY_FILE
# First process of a lab's switch, in a network namespace of its own: a bridge that the hosts' cables are plugged into, and the hosts'
# default router, which knows no way out and says so at once, so that nothing of a lab ever reaches a real network.
set -eu
router_cidr=$1
ready_file=$2

ip link set lo up
ip link add name br0 type bridge
ip address add "$router_cidr" dev br0
ip link set br0 up
ip route add unreachable default metric 4278198272
echo 1 >/proc/sys/net/ipv4/ip_forward

: >"$ready_file"
trap 'exit 0' TERM
while :; do
  sleep 86400 &
  wait $!
done
