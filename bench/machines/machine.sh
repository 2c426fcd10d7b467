#!/bin/sh
# Usage: machine.sh DIR NAME
# Becomes the sshd of one machine, in mount and hostname namespaces of its own: what is installed there and what its agent keeps are in DIR. With a file
# DIR/full its /usr/local has next to no room.
set -eu
dir=$1
hostname "$2"
mount --bind "$dir/berth" /var/lib/berth
mount --bind "$dir/root" /root
if [ -e "$dir/full" ]; then mount -t tmpfs -o size=2m tmpfs "$dir/usr-local"; fi
mkdir -p "$dir/usr-local/bin"
mount --bind "$dir/usr-local" /usr/local
exec /usr/sbin/sshd -D -E "$dir/sshd.log" -f "$dir/sshd_config"
