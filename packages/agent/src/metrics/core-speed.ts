import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { BerthError } from '@berth/core'

const windows = 12
const windowMs = 60
/** Of the worker's own time on a core: where many wait for a core, a window goes on until it has had so much. */
const leastCpuMs = 5
const patienceMs = 30_000

/**
 * A mix of what programs do (integers, decimals, memory that fits no first cache, branches), the same number of times a unit on every
 * machine. Compiled in a worker, so that the agent goes on with its work.
 */
const source = `
const { parentPort, workerData: { windows, windowMs, leastCpuMs } } = require('node:worker_threads')
const memory = new Uint32Array(1 << 18)
let seed = 1, sum = 0
function unit() {
  for (let n = 0; n < 2000; n++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    const at = seed & 0x3ffff
    memory[at] = (memory[at] ^ seed) >>> 0
    sum += (seed & 1) === 0 ? Math.sqrt(memory[(at * 7) & 0x3ffff]) : memory[at] % 1021
  }
}
const cpuMs = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1000 }
const rates = []
for (let each = 0; each < windows; each++) {
  const [from, cpuFrom] = [performance.now(), cpuMs()]
  let units = 0, used = 0
  while (performance.now() - from < windowMs || used < leastCpuMs) { unit(); units++; used = cpuMs() - cpuFrom }
  rates.push(units / used)
}
parentPort.postMessage({ rate: Math.max(...rates.slice(2)), sum })
`

/**
 * How much one core gets done, in units a second of its time: what others have of the core meanwhile does not count. The best of several
 * short windows is told, since they also take away caches and clock. Takes three quarters of a second, and more where many wait for a core.
 */
export async function measureCoreSpeed({ signal }: { readonly signal?: AbortSignal } = {}): Promise<number> {
  const limit = AbortSignal.any([...(signal === undefined ? [] : [signal]), AbortSignal.timeout(patienceMs)])
  limit.throwIfAborted()
  const worker = new Worker(source, { eval: true, workerData: { windows, windowMs, leastCpuMs } })
  try {
    const [{ rate }] = (await once(worker, 'message', { signal: limit })) as [{ rate: number }]
    if (!(rate > 0)) throw new BerthError('agent.failed', `measure the speed of a core: ${rate} is no rate`)
    return Math.round(rate * 1000)
  } finally {
    await worker.terminate()
  }
}
