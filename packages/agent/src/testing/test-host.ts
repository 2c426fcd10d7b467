import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { Scratch } from './scratch.ts'
import { killProcessesOf, unmountBelow } from './scratch-removal.ts'
import { waitUntil } from './wait-until.ts'

/** The image that every test host has. */
export const testImage = 'berth-test/busybox:1'

/** Serves its hostname at port 8080, `/slow` after a second, and writes a line at its start. */
export const webCommand = [
  'sh',
  '-c',
  'echo started; mkdir -p /tmp/www/cgi-bin; hostname > /tmp/www/index.html; trap "echo stopping; exit 0" TERM; httpd -f -p 8080 -h /tmp/www & wait',
]

/** A folder laid over the host's /usr: another version of Docker with all that it needs. */
const usrLayer = process.env.BERTH_TEST_USR_LAYER

/**
 * A machine for one test: a network namespace with a dockerd in it. Needs root. Everything is below one temporary folder and goes when
 * it is disposed of. `BERTH_TEST_USR_LAYER` has it run on another Docker than the machine's.
 */
export class TestHost implements AsyncDisposable {
  readonly #scratch = new Scratch('agent')
  readonly dir = this.#scratch.dir
  readonly namespace = basename(this.dir)
  readonly dockerSocket = join(this.dir, 'docker.sock')
  readonly stateDir = join(this.dir, 'state')
  readonly runDir = join(this.dir, 'run')
  #dockerd: ChildProcess | undefined

  static async start(options: { readonly dockerdArgs?: readonly string[] } = {}): Promise<TestHost> {
    const host = new TestHost()
    try {
      host.#addNamespaces()
      await host.startDockerd(options.dockerdArgs)
      host.importImage(testImage)
      return host
    } catch (error) {
      await host[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Argument vector that runs a program inside the host. */
  inside(...argv: string[]): [string, string[]] {
    const mounts = usrLayer === undefined ? [] : [`--mount=${this.#mountNamespace}`]
    return ['nsenter', [`--net=/var/run/netns/${this.namespace}`, ...mounts, ...argv]]
  }

  get #mountNamespace(): string {
    return join(this.dir, 'ns', 'mnt')
  }

  #addNamespaces(): void {
    execFileSync('ip', ['netns', 'add', this.namespace])
    execFileSync('ip', ['-n', this.namespace, 'link', 'set', 'lo', 'up'])
    if (usrLayer === undefined) return
    const folder = join(this.dir, 'ns')
    // A namespace can be kept only where its mounts do not propagate to.
    mkdirSync(folder)
    execFileSync('mount', ['--bind', folder, folder])
    execFileSync('mount', ['--make-private', folder])
    writeFileSync(this.#mountNamespace, '')
    const overlay = ['mount', '-t', 'overlay', '-o', `lowerdir=${usrLayer}:/usr`, 'usr', '/usr']
    execFileSync('unshare', [`--mount=${this.#mountNamespace}`, '--propagation=slave', ...overlay])
  }

  run(...argv: string[]): string {
    const [command, args] = this.inside(...argv)
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  }

  async startDockerd(more: readonly string[] = []): Promise<void> {
    const path = (name: string): string => join(this.dir, name)
    const config = { 'live-restore': true, 'exec-opts': ['native.cgroupdriver=cgroupfs'] }
    writeFileSync(path('daemon.json'), JSON.stringify(config))
    for (const file of ['docker.pid', 'exec/containerd/containerd.pid']) rmSync(path(file), { force: true })
    const [command, args] = this.inside(
      'dockerd',
      `--config-file=${path('daemon.json')}`,
      `--data-root=${path('data')}`,
      `--exec-root=${path('exec')}`,
      `--pidfile=${path('docker.pid')}`,
      `--host=unix://${this.dockerSocket}`,
      `--cgroup-parent=${this.#scratch.cgroupParent}`,
      '--bridge=none',
      '--log-level=warn',
      ...more,
    )
    const log = openSync(path('dockerd.log'), 'a')
    const child = spawn(command, args, { stdio: ['ignore', log, log] })
    this.#dockerd = child
    const explain = (): string => readFileSync(path('dockerd.log'), 'utf8').slice(-2000)
    await waitUntil('dockerd to answer', () => this.dockerAnswers() || child.exitCode !== null, 60_000, explain)
    if (child.exitCode !== null) throw new Error(`dockerd does not start in ${this.dir}: ${explain()}`)
  }

  /** `nsenter` becomes dockerd itself, so its process is the daemon's. */
  async killDockerd(signal: NodeJS.Signals): Promise<void> {
    const child = this.#dockerd
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  signalDockerd(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#dockerd?.kill(signal)
  }

  docker(...args: string[]): string {
    const argv = ['-H', `unix://${this.dockerSocket}`, ...args]
    return execFileSync('docker', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 }).trim()
  }

  dockerAnswers(): boolean {
    try {
      this.docker('version')
      return true
    } catch {
      return false
    }
  }

  importImage(tag: string, changes: readonly string[] = []): string {
    const root = mkdtempSync(join(this.dir, 'root-'))
    for (const folder of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys']) mkdirSync(join(root, folder))
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
    for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
      if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet))
    }
    chmodSync(join(root, 'tmp'), 0o1777)
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\napp:x:1234:2345::/:/bin/sh\n')
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:2345:\n')
    execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, '.'])
    const id = this.docker('import', ...changes.flatMap((change) => ['-c', change]), `${root}.tar`, tag)
    for (const path of [root, `${root}.tar`]) rmSync(path, { recursive: true })
    return id
  }

  pidOf(container: string): number {
    return Number(this.docker('inspect', '--format', '{{.State.Pid}}', container))
  }

  /** GET from inside the host; undefined when there is no good answer. */
  get(address: string): string | undefined {
    try {
      return this.run('busybox', 'wget', '-Y', 'off', '-q', '-O', '-', `http://${address}`)
    } catch {
      return undefined
    }
  }

  /** What a reboot does: every process is gone, and what was in memory only. */
  async reboot(): Promise<void> {
    await this.killDockerd('SIGKILL')
    await killProcessesOf(this.dir)
    unmountBelow(this.runDir)
    rmSync(this.runDir, { recursive: true, force: true })
    unmountBelow(join(this.dir, 'exec'))
    rmSync(join(this.dir, 'exec'), { recursive: true, force: true })
    execFileSync('ip', ['netns', 'delete', this.namespace])
    unmountBelow(join(this.dir, 'ns'))
    rmSync(join(this.dir, 'ns'), { recursive: true, force: true })
    this.#addNamespaces()
    await this.startDockerd()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killDockerd('SIGKILL')
    await this.#scratch[Symbol.asyncDispose]()
  }
}
