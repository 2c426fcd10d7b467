import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DiscoveryServer } from '../discovery/discovery-server.ts'
import type { ClientsMessage, WaitingClients } from '../discovery/waiting-clients.ts'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'

const clients = 10_000
const processes = 2
const rounds = 10
const wantedP99Ms = 200
/** In the second form: so many clients wait for each key. */
const perKey = 10

/** Processor time from a change until the last of all clients has its answer; of the server by the kernel's hundredths of a second. */
interface Used {
  readonly serverMs: number
  readonly clientsMs: number
}

/** From the moment a change is sent until the last byte of each waiting client's answer. */
export const figure: Figure = {
  name: 'consul-blocking',
  description: `a change to ${clients} clients that wait for one and the same key of Consul's API, p99`,
  unit: 'ms',
  peer: 'none',
  peerKind: 'none',
  target: `< ${wantedP99Ms} ms`,
  run,
}

async function run(context: FigureContext): Promise<FigureResult> {
  const used: Used[] = []
  const same = await measure(context, () => 'bench/same', used)
  const apart = await measure(context, (client) => `bench/${Math.floor(client / perKey)}`, [])
  const p99 = percentile(same, 99)
  return {
    ...{ ours: p99, peer: 0, ratio: p99, ok: p99 < wantedP99Ms },
    samples: [percentile(same, 50), p99, Math.max(...same)],
    notes: [
      `all on one key: p50 ${percentile(same, 50).toFixed(1)} ms, p99 ${p99.toFixed(1)}, last ${Math.max(...same).toFixed(1)} (${rounds} changes)`,
      `processor time for all answers of a change: the server ${median(used.map(({ serverMs }) => serverMs)).toFixed(0)} ms, the clients ${median(used.map(({ clientsMs }) => clientsMs)).toFixed(0)} ms, on the same cores`,
      `${perKey} on each of ${clients / perKey} keys, one of which changes: p50 ${percentile(apart, 50).toFixed(2)} ms, p99 ${percentile(apart, 99).toFixed(2)}`,
    ],
  }
}

/** Latencies in ms of all clients that were woken, round by round. */
async function measure(
  { signal, log }: FigureContext,
  keyOf: (client: number) => string,
  used: Used[],
): Promise<number[]> {
  await using server = await DiscoveryServer.start()
  const keys = Array.from({ length: clients }, (_, client) => keyOf(client))
  for (const key of new Set(keys)) await server.put(key, '0')
  const isSame = new Set(keys).size === 1
  // One process has all clients of a key that changes alone.
  const parts = Array.from({ length: processes }, (_, part) =>
    keys.slice((clients / processes) * part, (clients / processes) * (part + 1)),
  )
  const children = parts.map((part) => startClients(server.port, part))
  try {
    await Promise.all(children.map((child) => next(child)))
    log(`${clients} clients wait`)
    return isSame ? await changeOne(server, children, signal, log, used) : await changeSome(server, keys, signal)
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

async function changeOne(
  server: DiscoveryServer,
  children: readonly ChildProcess[],
  signal: AbortSignal,
  log: (message: string) => void,
  used: Used[],
): Promise<number[]> {
  const latencies: number[] = []
  for (let round = 1; round <= rounds && !signal.aborted; round += 1) {
    // They ask again; all wait by then.
    await delay(2_000)
    const answers = Promise.all(children.map((child) => next(child)))
    const usedBefore = server.cpuMs
    const sentNs = process.hrtime.bigint()
    await server.put('bench/same', String(round))
    const told = (await answers).filter((each) => 'arrivedNs' in each)
    const serverMs = server.cpuMs - usedBefore
    used.push({ serverMs, clientsMs: told.reduce((sum, { cpuMs }) => sum + cpuMs, 0) })
    const arrived = told.flatMap(({ arrivedNs }) => arrivedNs)
    const took = arrived.map((at) => Number(BigInt(at) - sentNs) / 1e6)
    latencies.push(...took)
    log(`change ${round} of ${rounds}: p99 ${percentile(took, 99).toFixed(1)} ms`)
  }
  return latencies
}

/** Of these a client of its own, beside the thousands that wait, is the one that is looked at. */
async function changeSome(server: DiscoveryServer, keys: readonly string[], signal: AbortSignal): Promise<number[]> {
  const latencies: number[] = []
  const different = [...new Set(keys)]
  for (let round = 0; round < rounds * 20 && !signal.aborted; round += 1) {
    const key = different[round % different.length] ?? ''
    const url = `http://127.0.0.1:${server.port}/v1/kv/${key}`
    const first = await fetch(url)
    await first.text()
    const waiting = fetch(`${url}?index=${first.headers.get('x-consul-index')}`).then((answer) => answer.text())
    await delay(20)
    const sentNs = process.hrtime.bigint()
    const put = server.put(key, `${round}`)
    await waiting
    latencies.push(Number(process.hrtime.bigint() - sentNs) / 1e6)
    await put
  }
  return latencies
}

function startClients(port: number, keys: readonly string[]): ChildProcess {
  const options: WaitingClients = { port, paths: keys.map((key) => `/v1/kv/${key}`) }
  // A list of ten thousand paths is too long for an argument where they differ much; these are short.
  return fork(join(import.meta.dirname, '../discovery/waiting-clients.ts'), [JSON.stringify(options)])
}

async function next(child: ChildProcess): Promise<ClientsMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientsMessage>()
  const ended = (code: number | null): void => reject(new Error(`waiting clients ended with code ${code}`))
  child.once('message', resolve)
  child.once('exit', ended)
  try {
    return await promise
  } finally {
    child.off('message', resolve)
    child.off('exit', ended)
  }
}
