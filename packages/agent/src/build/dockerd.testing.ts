import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pack } from 'tar-stream'
import { Scratch } from '../testing/scratch.ts'

/** A dockerd of a test's own, without networks; needs root. Everything of it is below one temporary folder. */
export class TestDockerd implements AsyncDisposable {
  readonly #scratch = new Scratch('dockerd')
  readonly dir = this.#scratch.dir
  readonly socketPath = join(this.dir, 'docker.sock')
  #process: ChildProcess | undefined

  async start(more: readonly string[] = []): Promise<void> {
    const path = (name: string) => join(this.dir, name)
    writeFileSync(
      path('daemon.json'),
      JSON.stringify({ 'exec-opts': ['native.cgroupdriver=cgroupfs'], 'live-restore': true }),
    )
    for (const file of ['docker.pid', 'exec/containerd/containerd.pid']) rmSync(path(file), { force: true })
    const folders = [`--data-root=${path('data')}`, `--exec-root=${path('exec')}`, `--pidfile=${path('docker.pid')}`]
    const network = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--log-level=warn']
    const cgroup = `--cgroup-parent=${this.#scratch.cgroupParent}`
    const log = openSync(path('log'), 'a')
    const args = [
      `--config-file=${path('daemon.json')}`,
      ...folders,
      `--host=unix://${this.socketPath}`,
      cgroup,
      ...network,
      ...more,
    ]
    const child = spawn('dockerd', args, { stdio: ['ignore', log, log] })
    this.#process = child
    const deadline = Date.now() + 60_000
    while (!this.#answers()) {
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`dockerd does not start: ${readFileSync(path('log'), 'utf8').slice(-2000)}`)
      await sleep(100)
    }
  }

  docker(...args: string[]): string {
    const argv = ['-H', `unix://${this.socketPath}`, ...args]
    return execFileSync('docker', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  }

  /** Imports a busybox as an image of this name; another `mark` makes another image. */
  importBusybox(tag: string, mark = ''): void {
    const root = mkdtempSync(join(this.dir, 'root-'))
    for (const folder of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys']) mkdirSync(join(root, folder))
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
    for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n'))
      if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet))
    writeFileSync(join(root, 'etc/mark'), mark)
    execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, '.'])
    this.docker('import', `${root}.tar`, tag)
    for (const path of [root, `${root}.tar`]) rmSync(path, { recursive: true })
  }

  async kill(how: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(how)
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scratch[Symbol.asyncDispose]()
  }

  #answers(): boolean {
    try {
      this.docker('version')
      return true
    } catch {
      return false
    }
  }
}

/** A build context in memory. */
export function contextOf(
  files: Readonly<Record<string, string | { readonly content: string; readonly mode: number }>>,
) {
  const tar = pack()
  for (const [name, file] of Object.entries(files)) {
    const { content, mode } = typeof file === 'string' ? { content: file, mode: 0o644 } : file
    tar.entry({ name, mode }, content)
  }
  tar.finalize()
  return tar
}
