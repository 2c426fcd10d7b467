import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Place } from './place.ts'

export const gatePort = 7000
/** Always open. */
export const markPort = 7001

/** Of a clock that all processes of a machine share. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

type Met = 'open' | 'closed'

/** What packets meet that come to an instance, as `gate-probe.ts` there tells. */
class GateWatch {
  readonly child: ChildProcess
  #last: { readonly met: string; readonly at: number } | undefined
  #onLine: (() => void) | undefined

  constructor({ host, pid, address }: Place, next: Place) {
    const probe = [process.execPath, join(import.meta.dirname, 'gate-probe.ts'), address, next.address]
    const [file = '', ...argv] = host.enterArgv(['nsenter', `--target=${pid}`, '--net', '--', ...probe])
    this.child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    if (this.child.stdout !== null)
      createInterface(this.child.stdout).on('line', (line) => {
        const [met = '', at] = line.split(' ')
        this.#last = { met, at: Number(at) }
        this.#onLine?.()
      })
  }

  /** When the first packet was sent that met it so. */
  async met(wanted: Met, timeoutMs: number): Promise<number> {
    const end = performance.now() + timeoutMs
    while (this.#last?.met !== wanted) {
      const leftMs = end - performance.now()
      if (leftMs <= 0) throw new Error(`waited ${timeoutMs} ms in vain for packets to meet the gate ${wanted}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#onLine = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.#last.at
  }
}

export interface Gates extends AsyncDisposable {
  /** When packets to each of them had begun to meet it so, of all. */
  met(wanted: Met): Promise<readonly number[]>
}

const timeoutMs = 30_000

/** Instances in a ring, each of which sends to the next one. */
export function watchGates(containers: readonly Place[]): Gates {
  const watches = containers.map((each, index) => {
    const next = containers[(index + 1) % containers.length] ?? each
    return new GateWatch(each, next)
  })
  return {
    met: (wanted) => Promise.all(watches.map((each) => each.met(wanted, timeoutMs))),
    async [Symbol.asyncDispose]() {
      const running = watches.filter(({ child }) => child.exitCode === null && child.signalCode === null)
      await Promise.all(
        running.map(({ child }) => {
          const ended = once(child, 'exit')
          child.kill('SIGKILL')
          return ended
        }),
      )
    },
  }
}
