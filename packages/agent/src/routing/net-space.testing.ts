import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { type Exec, mustRun, runCommand } from '../network/run-command.ts'
import { waitUntil } from '../testing/wait-until.ts'

/** Ends with its input, so that it goes with whoever made it. */
const holder = 'while read -r _; do :; done'

/** A network of its own, as a process holds it that names the test's folder: nothing of it outlives the folder or this process. */
export class NetSpace implements AsyncDisposable {
  readonly pid: number
  readonly exec: Exec
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid ?? 0
    const into = ['--net', `--target=${this.pid}`, '--']
    this.exec = (file, args, options) => runCommand('nsenter', [...into, file, ...args], options)
  }

  static async make(dir: string): Promise<NetSpace> {
    const child = spawn('unshare', ['--net', 'sh', '-c', holder, dir], { stdio: ['pipe', 'ignore', 'inherit'] })
    await once(child, 'spawn')
    const space = new NetSpace(child)
    const own = readlinkSync('/proc/self/ns/net')
    await waitUntil('a network of its own', () => readlinkSync(space.path) !== own)
    await space.ip('link', 'set', 'lo', 'up')
    await space.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    return space
  }

  get path(): string {
    return `/proc/${this.pid}/ns/net`
  }

  run(file: string, ...args: string[]): Promise<string> {
    return mustRun(this.exec, file, args, { timeoutMs: 60_000 })
  }

  ip(...args: string[]): Promise<string> {
    return this.run('ip', ...args)
  }

  /** A cable between the two; each end has its address, `10.1.0.1/24`, if it is given one. */
  async connect(
    name: string,
    address: string | undefined,
    other: NetSpace,
    otherName: string,
    otherAddress?: string,
  ): Promise<void> {
    const peer = ['peer', 'name', otherName, 'netns', String(other.pid)]
    await mustRun(runCommand, 'ip', ['link', 'add', name, 'netns', String(this.pid), 'type', 'veth', ...peer])
    for (const [space, link, at] of [
      [this, name, address],
      [other, otherName, otherAddress],
    ] as const) {
      if (at !== undefined) await space.ip('address', 'add', at, 'dev', link)
      await space.ip('link', 'set', link, 'up')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}
