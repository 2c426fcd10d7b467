#!/usr/bin/env bash
# Fresh Debian systems to try ./quickstart and ./test in, without a virtual machine. Needs root and debootstrap.
#
#   scripts/fresh-system.sh make SUITE DIR             a minimal system (bookworm, trixie, ...) with git, that reaches what this machine reaches
#   scripts/fresh-system.sh run DIR [COMMAND...]       runs a command (default: a shell) in it as root, as if it had booted
#   scripts/fresh-system.sh remove DIR
#
# The system gets this machine's settings for reaching mirrors and registries: apt's mirror and options, npm's configuration, its own
# certificate authorities. `run` gives it namespaces of its own for mounts, processes and its name: every process that is left when the command
# ends is killed, and no mount is ever made in the machine's own tree. It shares the network, the kernel and cgroups with the machine.
set -euo pipefail

usage() {
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The mirror of the machine's own Debian packages, which has every suite.
machine_mirror() {
  # shellcheck disable=SC2016 # apt-get fills that in
  apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | awk '!/security/ { print; exit }'
}

# Copies a file or directory to the same place in the new system, if it is there.
copy_along() {
  local dir=$1 path
  shift
  for path in "$@"; do
    [[ -e $path ]] || continue
    mkdir -p "$dir$(dirname "$path")"
    cp -rL --no-preserve=ownership "$path" "$dir$(dirname "$path")/"
  done
}

# Options of apt that say how to reach mirrors; those that hook programs of this machine into apt are left out.
copy_apt_options() {
  local dir=$1 file
  for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    if [[ -f $file ]] && grep -qE '^[^/]*Acquire' "$file" && ! grep -qE 'Invoke|Pre-Install-Pkgs' "$file"; then
      copy_along "$dir" "$file"
    fi
  done
}

copy_npm_settings() {
  local dir=$1 file
  command -v npm >/dev/null || return 0
  for file in "$(npm config get userconfig 2>/dev/null)" "$(npm config get globalconfig 2>/dev/null)"; do
    [[ -f $file ]] || continue
    # All are merged into the user's own file, since where npm looks for the global one depends on where it is installed.
    { cat "$file"; echo; } >>"$dir/root/.npmrc"
  done
}

make_system() {
  local suite=$1 dir=$2 mirror
  [[ ! -e $dir ]] || fail "$dir is there already; remove it first: $0 remove $dir"
  command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install debootstrap'
  mirror=$(machine_mirror)
  if [[ -z $mirror ]]; then
    apt-get -qq update
    mirror=$(machine_mirror)
  fi
  [[ -n $mirror ]] || fail 'apt of this machine knows no Debian mirror'
  debootstrap --variant=minbase --include=git "$suite" "$dir" "$mirror" >"$dir.log" 2>&1 || {
    tail -n 20 "$dir.log" >&2
    fail "debootstrap of $suite failed: see $dir.log"
  }
  rm -f "$dir.log"
  printf 'deb %s %s main\n' "$mirror" "$suite" >"$dir/etc/apt/sources.list"
  copy_apt_options "$dir"
  copy_npm_settings "$dir"
  copy_along "$dir" /etc/resolv.conf /etc/hosts /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt
  mkdir -p "$dir/.host"
}

# Runs in the new mount namespace: makes the directory the root of everything.
enter_system() {
  local dir=$1 name
  shift
  mount --bind "$dir" "$dir"
  for name in dev sys; do mount --rbind "/$name" "$dir/$name"; done
  mount -t proc proc "$dir/proc"
  mount -t tmpfs -o mode=755 tmpfs "$dir/run"
  hostname fresh
  cd "$dir"
  pivot_root . .host
  umount -l /.host
  cd /root
  exec env -i "${environment[@]}" "$@"
}

run_in_system() {
  local dir
  dir=$(cd "$1" && pwd)
  shift
  if (($# == 0)); then set -- bash -l; fi
  exec unshare --mount --pid --fork --kill-child --uts --propagation private -- "${BASH_SOURCE[0]}" enter "$dir" "$@"
}

environment=(HOME=/root LANG=C.UTF-8 "TERM=${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for variable in http_proxy https_proxy no_proxy NODE_EXTRA_CA_CERTS CI; do
  if [[ -n ${!variable:-} ]]; then environment+=("$variable=${!variable}"); fi
done

((EUID == 0)) || fail 'this needs root'
case ${1:-} in
  make) (($# == 3)) || usage; make_system "$2" "$3" ;;
  run) (($# >= 2)) || usage; shift; run_in_system "$@" ;;
  enter) shift; enter_system "$@" ;;
  remove) (($# == 2)) || usage; rm -rf --one-file-system -- "$2" ;;
  *) usage ;;
esac
