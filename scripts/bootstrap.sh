# shellcheck shell=bash
# What ./quickstart and ./test need before any of our own code can run. Sourced, not run; its caller sets `set -euo pipefail`.
#
#   ensure_root                         this shell is root's, else an explanation and exit 1
#   ensure_packages [--no-start] PKG... Debian packages, only those that are missing; with --no-start their services stay off
#   ensure_node                         node_modules as in package-lock.json, with Node 26 as node_modules/.bin/node
#   ensure_docker                       a Docker Engine of the distribution, where there is none
#   ensure_browser                      Chromium, or a Chrome that is there
#
# It works on Debian 12 and 13 and Ubuntu with nothing but bash, apt and a network, and does nothing when everything is there. An interrupted run
# leaves nothing that the next one could not mend.

BERTH_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BERTH_TRIES=3
# Any npm that runs on the project's Node will do; named so that all machines install alike.
BERTH_NPM=11.19.1

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# Files that must not outlive this shell, however it ends.
declare -a berth_passing=()
remove_passing() { if ((${#berth_passing[@]} > 0)); then rm -rf -- "${berth_passing[@]}"; fi; }
trap remove_passing EXIT
# apt lets nobody interrupt dpkg half-way and then ends as if nothing had been, so bash would go on.
trap 'say "interrupted; what is half done is mended by the next run"; exit 130' INT TERM

# Runs a command quietly; its output is shown when it failed for good. Networks and mirrors fail now and then, so it is tried again.
# Usage: try_again WHAT COMMAND [ARGUMENT...]
try_again() {
  local what=$1 log attempt status=0
  shift
  log=$(mktemp)
  berth_passing+=("$log")
  for ((attempt = 1; attempt <= BERTH_TRIES; attempt++)); do
    status=0
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if ((status == 0)); then
      rm -f "$log"
      return 0
    fi
    if ((attempt < BERTH_TRIES)); then
      say "$what failed (exit code $status), trying again"
      sleep $((attempt * 3))
    fi
  done
  say "$what failed $BERTH_TRIES times; its last words:"
  tail -n 60 "$log" >&2
  rm -f "$log"
  return "$status"
}

ensure_root() {
  if ((EUID != 0)); then
    fail "this needs root (packages, network, Docker): run it as root or by sudo"
  fi
}

package_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true) == installed ]]
}

package_known() {
  apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

update_package_lists() {
  # Without its error mode apt-get update calls a mirror that it could not reach a success.
  try_again "apt-get update" apt-get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive try_again "apt-get install $*" \
    apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    install --yes --no-install-recommends "$@"
}

# What an interrupted run of apt or dpkg has left half done keeps apt from installing anything.
repair_packages() {
  if [[ -z $(dpkg --audit 2>/dev/null || true) && -z $(find /var/lib/dpkg/updates -type f -print -quit) ]]; then return 0; fi
  say "Ending an installation of packages that was interrupted"
  DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a >/dev/null 2>&1 </dev/null || true
  install_packages --fix-broken
}

# Packages start their services when they are installed unless this program forbids it (invoke-rc.d(8)).
readonly SERVICE_POLICY=/usr/sbin/policy-rc.d
readonly OWN_POLICY=$'#!/bin/sh\n# For the time of an installation by Berth.\nexit 101'

# Usage: without_starting COMMAND [ARGUMENT...]
without_starting() {
  if [[ -e $SERVICE_POLICY && $(<"$SERVICE_POLICY") != "$OWN_POLICY" ]]; then
    "$@"
    return
  fi
  local status=0
  berth_passing+=("$SERVICE_POLICY")
  printf '%s\n' "$OWN_POLICY" >"$SERVICE_POLICY"
  chmod 755 "$SERVICE_POLICY"
  "$@" || status=$?
  rm -f "$SERVICE_POLICY"
  return "$status"
}

ensure_packages() {
  local how=() package missing=()
  if [[ ${1:-} == --no-start ]]; then
    how=(without_starting)
    shift
  fi
  for package in "$@"; do
    package_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  command -v apt-get >/dev/null || fail "packages are missing (${missing[*]}), and this machine has no apt-get: Debian 12 or 13 or Ubuntu is needed"
  ensure_root
  "${how[@]}" repair_packages || fail "an interrupted installation of packages could not be ended: see above, and \`dpkg --audit\`"
  for package in "${missing[@]}"; do
    package_known "$package" || { update_package_lists || fail "apt cannot read its package lists: see /etc/apt/sources.list and the network"; break; }
  done
  say "Installing packages: ${missing[*]}"
  if "${how[@]}" install_packages "${missing[@]}"; then return 0; fi
  # Lists that are older than the mirror name files that are no longer there.
  say "Reading the package lists anew"
  if update_package_lists && "${how[@]}" install_packages "${missing[@]}"; then return 0; fi
  fail "packages could not be installed: ${missing[*]} (on Ubuntu they need the component universe: add-apt-repository universe)"
}

# Whatever npm and Node the machine has only fetch the ones that do the work.
ensure_npm() {
  if command -v npm >/dev/null && command -v node >/dev/null && npm --version >/dev/null 2>&1; then return 0; fi
  ensure_packages nodejs npm ca-certificates
}

node_modules_digest() {
  sha256sum "$BERTH_ROOT/package-lock.json" | cut -d' ' -f1
}

# The version of Node that the project is locked to: that of the npm package `node`.
locked_node_version() {
  awk -F'"' '/"node_modules\/node": {/ { found = 1 } found && $2 == "version" { print $4; exit }' "$BERTH_ROOT/package-lock.json"
}

npm_architecture() {
  case $(uname -m) in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) fail "there is no Node.js 26 for the architecture $(uname -m) on npm" ;;
  esac
}

node_runs() {
  [[ $("$BERTH_ROOT/node_modules/.bin/node" --version 2>/dev/null || true) == "v$1" ]]
}

# Installs node_modules by Node 26 itself, with one and the same npm everywhere. With the distribution's (Debian 12: Node 18, npm 9) npm leaves out native
# packages whose `engines` ask for a newer Node, silently, since they are optional. The npm package `node` holds no program but a script that fetches
# one, and newer npm runs no scripts that nobody approved: the program is put in its place here, and no script of any package is run.
# Usage: install_node_modules NODE_VERSION ARCHITECTURE TEMPORARY_DIRECTORY
install_node_modules() {
  local version=$1 package=node-linux-$2 tool=$3 quiet=(--ignore-scripts --no-audit --no-fund) program
  local -x NODE_DISABLE_COMPILE_CACHE=1
  program=$tool/node_modules/$package/bin
  npm install --prefix "$tool" --no-save "${quiet[@]}" "$package@$version" "npm@$BERTH_NPM" || return
  (cd "$BERTH_ROOT" && PATH=$program:$PATH "$program/node" "$tool/node_modules/npm/bin/npm-cli.js" ci --include=dev "${quiet[@]}") || return
  mkdir -p "$BERTH_ROOT/node_modules/node/bin"
  cp "$program/node" "$BERTH_ROOT/node_modules/node/bin/node"
  ln -sfn ../node/bin/node "$BERTH_ROOT/node_modules/.bin/node"
}

ensure_node() {
  local stamp=$BERTH_ROOT/node_modules/.installed digest version architecture tool status=0
  digest=$(node_modules_digest)
  version=$(locked_node_version)
  if [[ $(cat "$stamp" 2>/dev/null || true) == "$digest" ]] && node_runs "$version"; then return 0; fi
  ensure_packages libatomic1 libstdc++6
  # Installed by hand, to the same end.
  if node_runs "$version" && "$BERTH_ROOT/node_modules/.bin/node" "$BERTH_ROOT/scripts/installed-matches-lock.ts"; then
    printf '%s\n' "$digest" >"$stamp"
    return 0
  fi
  architecture=$(npm_architecture)
  ensure_npm
  say "Installing Node.js $version and the project's npm packages"
  tool=$(mktemp -d)
  berth_passing+=("$tool")
  try_again "npm ci" install_node_modules "$version" "$architecture" "$tool" || status=$?
  rm -rf "$tool"
  ((status == 0)) || fail "npm could not install the packages of package-lock.json: see above, and the registry in \`npm config get registry\`"
  node_runs "$version" || fail "node_modules/.bin/node does not run: $("$BERTH_ROOT/node_modules/.bin/node" --version 2>&1 || true)"
  printf '%s\n' "$digest" >"$stamp"
}

ensure_docker() {
  if command -v dockerd >/dev/null && command -v docker >/dev/null; then return 0; fi
  local packages=()
  if ! command -v dockerd >/dev/null; then packages+=(docker.io tini); fi
  # From Debian 13 on the client is a package of its own. Which release this is shows in lists that must be there to look.
  package_known docker.io || update_package_lists || fail "apt cannot read its package lists: see /etc/apt/sources.list and the network"
  if ! command -v docker >/dev/null && package_known docker-cli; then packages+=(docker-cli); fi
  if [[ -d /run/systemd/system ]]; then
    ensure_packages "${packages[@]}"
  else
    # Nobody would look after a daemon that an init script starts here.
    ensure_packages --no-start "${packages[@]}"
  fi
}

# Ubuntu has Chromium only as a snap, which sees neither /tmp nor a program's own profile folder.
ensure_browser() {
  local program
  for program in "${BERTH_CHROMIUM:-}" /usr/bin/chromium-headless-shell; do
    if [[ -x $program ]]; then return 0; fi
  done
  package_known chromium || update_package_lists || fail "apt cannot read its package lists: see /etc/apt/sources.list and the network"
  # Chromium without its windows: a third faster.
  if package_known chromium-headless-shell; then
    ensure_packages chromium-headless-shell
    return 0
  fi
  for program in /usr/bin/chromium /usr/bin/google-chrome-stable /opt/google/chrome/chrome; do
    if [[ -x $program ]]; then return 0; fi
  done
  package_known chromium ||
    fail "the console is tested in Chromium, which this distribution has as no package: install Google Chrome, or name a browser that is no snap in BERTH_CHROMIUM"
  ensure_packages chromium
}
