#!/bin/sh
# Usage: host-enter.sh JOIN_FILE... -- COMMAND [ARGUMENT...]
# Moves itself into the cgroups whose cgroup.procs files are given, then becomes COMMAND: so that everything the command starts is in
# them from its first instruction on.
set -eu
while [ "$1" != -- ]; do
  echo 0 >"$1"
  shift
done
shift
exec "$@"
