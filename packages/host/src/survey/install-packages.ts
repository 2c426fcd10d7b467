import { spawn } from 'node:child_process'
import { BerthError } from '@berth/core'

/**
 * Installs Debian's packages, its arguments. Docker is told to keep containers over its own restarts where nobody has told it anything
 * yet; nginx must not start by itself, since the port is the gateway's.
 */
const script = String.raw`
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
for each in "$@"; do
  if [ "$each" = docker.io ] && [ ! -e /etc/docker/daemon.json ]; then
    mkdir -p /etc/docker
    echo '{ "live-restore": true }' >/etc/docker/daemon.json
  fi
done
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\ncase $1 in nginx*) exit 101 ;; esac\nexit 0\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get update -q
apt-get install -y -q --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
  for each in "$@"; do
    case $each in nginx*) systemctl disable nginx >/dev/null 2>&1 || true ;; esac
  done
fi
`
const timeoutMs = 15 * 60_000

/** Throws `host.install-failed`. */
export function installPackages(
  tool: string | undefined,
  packages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const named = packages.join(' ')
  if (tool !== 'apt-get')
    throw new BerthError(
      'host.install-failed',
      `install what Debian calls ${named}: Berth installs with apt-get only, and this machine has ${tool ?? 'no package tool that it knows'}; install them by hand, then repeat the command`,
    )
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-s', '--', ...packages], {
      ...{ stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, signal, cwd: '/' },
    })
    let said = ''
    const hear = (part: Buffer) => {
      said = (said + part.toString()).slice(-4000)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.stdin.on('error', () => undefined)
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) return resolve()
      const last = said.trim().split('\n').slice(-3).join(' · ')
      const message = `apt-get install ${named}: ${last === '' ? `exit code ${code}` : last}; the command can be repeated`
      reject(new BerthError('host.install-failed', message))
    })
    child.stdin.end(script)
  })
}
