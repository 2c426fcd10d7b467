import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { NetworkDriver } from '@berth/core'
import type { LabHost } from '@berth/lab'
import type { NetworkAnswer, NetworkCall } from './network-process.ts'

const never = 3_600_000

/** The network of a host, in a process inside it. */
export class NetworkProcess {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #waiting: ((answer: NetworkAnswer) => void)[] = []
  #stderr = ''

  constructor(host: LabHost, checkIntervalMs = never, driver: NetworkDriver = 'bridge') {
    const script = join(import.meta.dirname, 'network-process.ts')
    const [file = '', ...args] = host.enterArgv([process.execPath, script, String(checkIntervalMs), driver])
    this.#child = spawn(file, args)
    createInterface(this.#child.stdout).on('line', (line) => this.#waiting.shift()?.(JSON.parse(line) as NetworkAnswer))
    this.#child.stderr.on('data', (chunk) => {
      this.#stderr += String(chunk)
    })
    this.#child.once('exit', () => {
      for (const resolve of this.#waiting.splice(0)) resolve({ code: 'process-ended', message: this.#stderr })
    })
  }

  call(call: NetworkCall): Promise<NetworkAnswer> {
    const answer = new Promise<NetworkAnswer>((resolve) => this.#waiting.push(resolve))
    this.#child.stdin.write(`${JSON.stringify(call)}\n`)
    return answer
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.stdin.end()
    await once(this.#child, 'exit')
  }
}
