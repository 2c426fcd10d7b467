import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Memory, ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { fillStore } from './fill-records.ts'
import type { ClusterSize } from './run-cluster.ts'

export interface IdleOptions extends ClusterSize {
  readonly signal: AbortSignal
  readonly log: (message: string) => void
  /** Of Node, for the server that has instances. */
  readonly serverOptions?: readonly string[]
  /** Looks at the server that has instances, once it has come to rest. */
  readonly look?: (server: ServerProcess) => Promise<void>
}

export interface IdleRun {
  readonly count: number
  readonly without: Memory
  readonly with: Memory
  readonly cpuSeconds: number
  readonly storeBytes: number
}

/** A server is at rest once its memory has not become less for so long: the runtime waits half a minute before it tidies up. */
const restMs = 60_000
const lookMs = 1_000
const longestMs = 240_000

/** Starts a server on a store of idle instances, and one on a store with the same nodes and apps and no instances. */
export async function measureIdle(options: IdleOptions): Promise<IdleRun> {
  const { apps, replicas, serverOptions = [], look = async () => undefined } = options
  const without = await measure({ ...options, replicas: 0 }, [], async () => undefined)
  const full = await measure(options, serverOptions, look)
  const { cpuSeconds, storeBytes } = full
  return { count: apps * replicas, without: without.memory, with: full.memory, cpuSeconds, storeBytes }
}

async function measure(
  options: IdleOptions,
  nodeOptions: readonly string[],
  look: (server: ServerProcess) => Promise<void>,
): Promise<{ readonly memory: Memory; readonly cpuSeconds: number; readonly storeBytes: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-idle-'))
  try {
    mkdirSync(join(directory, 'state/server'), { recursive: true, mode: 0o700 })
    await fillStore(join(directory, 'state/server/store.db'), options)
    await using server = await ServerProcess.start({ directory, nodeOptions })
    const memory = await settledMemory(server, options)
    const { cpuSeconds, storeBytes } = server
    options.log(`${options.apps * options.replicas} instances: RSS ${Math.round(memory.rssBytes / 1024 ** 2)} MiB`)
    await look(server)
    return { memory, cpuSeconds, storeBytes }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Nothing is forced: what the runtime gives back by itself within some minutes is given back. */
export async function settledMemory(
  server: Pick<ServerProcess, 'memory'>,
  { signal, log }: Pick<IdleOptions, 'signal' | 'log'>,
): Promise<Memory> {
  let [least, since] = [server.memory, performance.now()]
  for (const startedAt = since; performance.now() - startedAt < longestMs; ) {
    await delay(lookMs, undefined, { signal })
    const { memory } = server
    if (memory.rssBytes < least.rssBytes * 0.99) {
      ;[least, since] = [memory, performance.now()]
      log(`RSS ${Math.round(memory.rssBytes / 1024 ** 2)} MiB`)
    } else if (performance.now() - since > restMs) return memory
  }
  return server.memory
}
