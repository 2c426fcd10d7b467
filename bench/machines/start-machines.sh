#!/bin/sh
# Usage: start-machines.sh NAME=DIR...
# Starts machines beside each other, and ends when all have ended.
set -eu
here=$(dirname "$0")
for each in "$@"; do
  unshare --mount --uts --propagation private sh "$here/machine.sh" "${each#*=}" "${each%%=*}" &
done
wait
