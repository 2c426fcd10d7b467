import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * A network namespace without a name, held by a process that ends with its input: it is gone when it is disposed of, and when the process that
 * made it dies, however that dies. Needs root.
 */
export class TestNamespace implements AsyncDisposable {
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  static async create(): Promise<TestNamespace> {
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo here; read -r _'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const namespace = new TestNamespace(holder)
    await once(holder.stdout as NonNullable<ChildProcess['stdout']>, 'data', { signal: AbortSignal.timeout(10_000) })
    namespace.ip('link set lo up')
    return namespace
  }

  get pid(): number {
    return this.#holder.pid ?? 0
  }

  /** Argument vector that runs a program inside. */
  inside(...argv: string[]): [string, string[]] {
    return ['nsenter', [`--net=/proc/${this.pid}/ns/net`, ...argv]]
  }

  run(argv: readonly string[], input = ''): string {
    const [file, args] = this.inside(...argv)
    return execFileSync(file, args, { encoding: 'utf8', input, timeout: 20_000, maxBuffer: 64 * 1024 * 1024 })
  }

  /** Lines for `ip -batch`. */
  ip(...lines: string[]): void {
    this.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
  }

  /** The same of IPv6. */
  ip6(...lines: string[]): void {
    this.run(['ip', '-6', '-batch', '-'], `${lines.join('\n')}\n`)
  }

  nft(ruleset: string): void {
    this.run(['nft', '-f', '-'], ruleset)
  }

  sysctl(...settings: string[]): void {
    this.run(['sysctl', '-q', '-w', ...settings])
  }

  /** A cable: `name` here is `peerName` there. */
  connect(name: string, peer: TestNamespace, peerName: string): void {
    this.ip(`link add ${name} type veth peer name ${peerName} netns ${peer.pid}`, `link set ${name} up`)
    peer.ip(`link set ${peerName} up`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const ended = once(this.#holder, 'exit')
    this.#holder.stdin?.end()
    await ended
  }
}
