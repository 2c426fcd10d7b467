import { cpus } from 'node:os'

/** Both times of one piece of work: on a shared machine the processor's is the one to judge by. It includes the collector's threads. */
export interface Times {
  readonly wallMs: number
  readonly cpuMs: number
}

export function timed(work: () => void): Times {
  const cpu = process.cpuUsage()
  const start = performance.now()
  work()
  const wallMs = performance.now() - start
  const used = process.cpuUsage(cpu)
  return { wallMs, cpuMs: (used.user + used.system) / 1000 }
}

export const machine = (): string => `${cpus()[0]?.model ?? 'unknown processor'}, one thread, Node ${process.version}`

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`
