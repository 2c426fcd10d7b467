#!/bin/sh
# Usage: host-init.sh HOST_DIR LAB_DIR NAME ADDRESS ROUTER USR_LAYER [MOUNT_POINT TYPE OPTIONS]...
# First process of a host. It is started in new namespaces (process, mount, network, hostname, cgroup) whose mounts propagate nowhere, gives
# the host its own /proc, /sys, /etc, /var and /run, and then stays to reap orphans: it is process 1, and its death is the host's.
# USR_LAYER may be empty. The triples after the fixed arguments are the cgroup hierarchies to mount.
set -eu
host_dir=$1
lab_dir=$2
name=$3
address=$4
router=$5
usr_layer=$6
shift 6

# What other programs of the machine mounted for themselves: a copy held here would keep their namespaces and layers alive.
drop_foreign_mounts() {
  awk '$5 ~ "^/(run|var)/" || / - nsfs / { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount_point; do
    case $lab_dir/ in "$mount_point"/*) continue ;; esac
    umount -l "$mount_point" 2>/dev/null || true
  done
}

mount_kernel_views() {
  umount -R -l /sys
  umount -R -l /proc
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  if [ "$1" != /sys/fs/cgroup ]; then
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  fi
  while [ $# -gt 0 ]; do
    mkdir -p "$1"
    mount -t "$2" -o "$3" cgroup "$1"
    shift 3
  done
}

# Other versions of programs and libraries than the machine's.
mount_usr() {
  if [ -n "$usr_layer" ]; then
    mount -t overlay -o "lowerdir=$usr_layer:/usr" overlay /usr
  fi
}

# Programs that are installed on the host by hand are its own, and stay over a reboot.
mount_usr_local() {
  mount -t overlay -o "lowerdir=/usr/local,upperdir=$host_dir/usr-local,workdir=$host_dir/usr-local.work" overlay /usr/local
}

# /etc keeps what is written to it over a reboot, as a disk would.
mount_etc() {
  mount -t overlay -o "lowerdir=/etc,upperdir=$host_dir/etc,workdir=$host_dir/etc.work" overlay /etc
  # A link into the real machine's /run would dangle.
  rm -f /etc/resolv.conf
  echo "nameserver $router" >/etc/resolv.conf
  echo "$name" >/etc/hostname
  printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" >/etc/hosts
}

# /var is writable and forgotten at the next boot, but for the directories bound from the host's own disk. It is put together in another
# place, since the lab's own directory may be below /var.
mount_var() {
  stage=$host_dir/stage
  mount -t tmpfs -o mode=755 tmpfs "$stage"
  mkdir "$stage/upper" "$stage/work" "$stage/var"
  mount -t overlay -o "lowerdir=/var,upperdir=$stage/upper,workdir=$stage/work" overlay "$stage/var"
  for place in docker:lib/docker containerd:lib/containerd berth:lib/berth log:log; do
    mkdir -p "$stage/var/${place#*:}"
    mount --bind "$host_dir/${place%%:*}" "$stage/var/${place#*:}"
  done
  case $lab_dir in
    /var/*) mount --bind "$lab_dir" "$stage$lab_dir" ;;
  esac
  mount --move "$stage/var" /var
}

mount_run() {
  mount --bind "$host_dir/run" /run
  mkdir -p /run/lock
}

# Programs tell a reboot by this id, and the kernel's own does not change here.
renew_boot_id() {
  cat /proc/sys/kernel/random/uuid >/run/boot-id
  mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
}

cd /
hostname "$name"
drop_foreign_mounts
mount_kernel_views "$@"
mount_usr
mount_usr_local
mount_etc
mount_var
mount_run
renew_boot_id
ip link set lo up

: >/run/ready
trap : TERM INT HUP
while :; do
  sleep 86400 &
  wait $! || true
done
