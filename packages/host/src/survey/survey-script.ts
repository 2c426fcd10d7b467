/**
 * Tells what a machine is, as `key=value` lines, and changes nothing. POSIX sh and what every Linux has, for it is run where nothing of
 * Berth is yet, by `sh -s -- ARGUMENTS` over SSH or right here. `parseMachineFacts` reads what it says; what it cannot find out it leaves out.
 */
export const surveyScript = String.raw`
state_dir=$1 program=$2 docker_socket=$3 server_host=$4 api_port=$5 agent_port=$6
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C

say() { printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')"; }
has() { command -v "$1" >/dev/null 2>&1; }
limit() { if has timeout; then timeout "$@"; else shift; "$@"; fi; }

say system "$(uname -s)"
say kernel "$(uname -r)"
say architecture "$(uname -m)"
say hostname "$(uname -n)"
say uid "$(id -u)"
say now "$(date +%s)"
for key in ID VERSION_ID PRETTY_NAME; do
  say "os_$key" "$(sed -n "s/^$key=//p" /etc/os-release 2>/dev/null | head -n 1 | tr -d '"')"
done
if libc=$(getconf GNU_LIBC_VERSION 2>/dev/null); then say libc "$libc"; else say libc other; fi
if [ -d /run/systemd/system ]; then say systemd yes; else say systemd no; fi
say memory_kib "$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)"

free_kib() {
  at=$1
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
  df -Pk "$at" 2>/dev/null | awk 'NR == 2 { print $4 }'
}
say state_free_kib "$(free_kib "$state_dir")"
say program_free_kib "$(free_kib "$(dirname "$program")")"

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  say cgroup v2
  say cgroup_controllers "$(cat /sys/fs/cgroup/cgroup.controllers)"
elif [ -r /proc/cgroups ]; then
  say cgroup v1
  say cgroup_controllers "$(awk '$4 == 1 && $1 !~ /^#/ { print $1 }' /proc/cgroups)"
fi

# yes, no, or nothing where nobody can tell: some kernels have everything built in and no list of it.
kernel_has() {
  if [ -d "/sys/module/$1" ] || modprobe -n -q "$1" 2>/dev/null; then say "kernel_$1" yes
  elif grep -q "/$1\.ko" "/lib/modules/$(uname -r)/modules.builtin" 2>/dev/null; then say "kernel_$1" yes
  elif [ -d "/lib/modules/$(uname -r)" ]; then say "kernel_$1" no
  fi
}
if grep -qw overlay /proc/filesystems; then say kernel_overlay yes; else kernel_has overlay; fi
if has nft && [ "$(id -u)" = 0 ]; then
  if nft list tables >/dev/null 2>&1; then say kernel_nf_tables yes; else say kernel_nf_tables no; fi
else
  kernel_has nf_tables
fi
kernel_has bridge
kernel_has veth

for each in ip nft iptables git nginx dockerd docker systemctl gzip; do
  if has "$each"; then say "has_$each" yes; else say "has_$each" no; fi
done
for each in apt-get dnf yum apk zypper; do
  if has "$each"; then say packages "$each"; break; fi
done
for each in /usr/lib/nginx/modules /usr/lib64/nginx/modules /usr/share/nginx/modules; do
  if [ -e "$each/ngx_http_lua_module.so" ]; then say has_nginx_lua yes; break; fi
done
for each in /usr/lib/*/lua/5.1/cjson.so /usr/local/lib/*/lua/5.1/cjson.so /usr/lib/lua/5.1/cjson.so /usr/local/lib/lua/5.1/cjson.so; do
  if [ -e "$each" ]; then say has_lua_cjson yes; break; fi
done

if has docker; then
  answer=$(DOCKER_HOST= limit 10 docker -H "unix://$docker_socket" version --format '{{.Server.Version}} {{.Server.APIVersion}}' 2>&1) &&
    say docker_version "$answer"
  if [ $? = 0 ]; then
    say docker_live_restore "$(limit 10 docker -H "unix://$docker_socket" info --format '{{.LiveRestoreEnabled}}' 2>/dev/null)"
  else
    say docker_problem "$answer"
  fi
elif has curl && [ -S "$docker_socket" ]; then
  answer=$(curl -s -m 10 --unix-socket "$docker_socket" http://localhost/version) &&
    say docker_version "$(printf '%s' "$answer" | sed -n 's/.*"Version":"\([^"]*\)".*"ApiVersion":"\([^"]*\)".*/\1 \2/p')"
fi
if [ -S "$docker_socket" ]; then say docker_socket yes; else say docker_socket no; fi

say listening "$(awk '$4 == "0A" { print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u)"
say listening_udp "$(awk '$4 == "07" { print $2 }' /proc/net/udp /proc/net/udp6 2>/dev/null | sort -u)"

# refused: the machine answers that nobody listens. silent: nothing came back, as behind a firewall.
reach() {
  if [ -z "$server_host" ] || [ -z "$3" ]; then return; fi
  if has bash && has timeout; then
    words=$(timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$server_host" "$3" 2>&1)
    code=$?
  elif has nc; then
    words=$(nc -z -w 10 "$server_host" "$3" 2>&1)
    code=$?
  else
    return
  fi
  case $code in
    0) say "$1" yes ;;
    124) say "$1" silent ;;
    *) case $words in
        *refused*) say "$1" refused ;;
        *resolve* | *"not known"*) say "$1" unknown-name ;;
        *) say "$1" silent ;;
      esac ;;
  esac
}
reach reaches_api api "$api_port"
reach reaches_agent_port agent "$agent_port"

if [ -f "$program" ]; then
  say program_version "$(limit 10 "$program" --version 2>/dev/null)"
  has sha256sum && say program_sha256 "$(sha256sum "$program" | cut -d ' ' -f 1)"
fi
if [ -f "$state_dir/agent/node.json" ]; then say identity "$(head -c 4000 "$state_dir/agent/node.json")"; fi
if [ -f "$state_dir/host.json" ]; then say host_config "$(head -c 8000 "$state_dir/host.json")"; fi
say end yes
`
