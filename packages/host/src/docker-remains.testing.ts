/**
 * Run in network and mount namespaces of its own: a real dockerd comes and goes, then what it left is removed. Prints what was there
 * before, with dockerd gone, and afterwards.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lookBeforeDocker, removeDockerRemains } from './docker-remains.ts'

const [, , dir = '', scenario = 'plain'] = process.argv
const runDir = join(dir, 'run')
const dataDir = join(dir, 'data')
const socket = `unix://${join(dir, 'docker.sock')}`

const run = (command: string, ...args: readonly string[]): string => execFileSync(command, args, { encoding: 'utf8' })

const snapshot = () => ({
  links: [...run('ip', '-o', 'link').matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name).toSorted(),
  rules: run('nft', 'list', 'ruleset'),
  forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(),
  mounts: readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(dir)),
  runDir: existsSync(runDir),
})

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function runDockerd(signal: NodeJS.Signals): Promise<void> {
  const folders = ['--data-root', dataDir, '--exec-root', runDir, '--pidfile', join(dir, 'docker.pid')]
  const config = ['--config-file', join(dir, 'daemon.json'), '--live-restore', '-H', socket]
  const child = spawn('dockerd', [...folders, ...config], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await until('dockerd', () => spawnSync('docker', ['-H', socket, 'version'], { stdio: 'ignore' }).status === 0)
  const containerd = readFileSync(join(runDir, 'containerd/containerd.pid'), 'utf8').trim()
  child.kill(signal)
  await ended
  // It dies with its parent; a dockerd that finds it dying would wait for it to answer.
  await until('the end of containerd', () => !existsSync(`/proc/${containerd}`))
}

writeFileSync(join(dir, 'daemon.json'), '{}')
writeFileSync('/proc/sys/net/ipv4/ip_forward', '0')
if (scenario === 'rules of others') run('iptables', '-P', 'FORWARD', 'DROP')
const before = lookBeforeDocker()
if (before === undefined) throw new Error('there was a bridge before')
const first = snapshot()
await runDockerd('SIGKILL')
const again = lookBeforeDocker()
await runDockerd('SIGTERM')
if (scenario === 'rules of others') run('iptables', '-I', 'DOCKER-USER', '1', '-s', '192.0.2.7', '-j', 'DROP')
if (scenario === 'a container runs') mkdirSync(join(runDir, 'runtime-runc/moby/0123'), { recursive: true })
const left = snapshot()
const removed = removeDockerRemains(before, { runDir, dataDir })
process.stdout.write(JSON.stringify({ first, again, left, removed, last: snapshot() }))
