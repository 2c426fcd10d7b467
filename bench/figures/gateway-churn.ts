import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'
import { describePairs, type GatewayBench, measurePairs, medianRatio, openGatewayBench } from '../gateway-bench.ts'
import type { Sample } from '../gateway-load.ts'

const pairs = 24
const minimumRatio = 0.94
const changeMs = 500
const kills = 6
const arrivals = 20

/** The same as `gateway-steady` while a member is replaced every 500 ms; then with members killed and new ones coming. */
export const figure: Figure = {
  name: 'gateway-churn',
  description: `requests/s through the gateway with a member replaced every ${changeMs} ms, no failed request`,
  unit: 'requests/s',
  peer: 'plain nginx, static upstream, nothing changes',
  target: `>= ${minimumRatio}`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  await using bench = await openGatewayBench(8)
  await bench.measurePeer()
  const applied: number[] = []
  const ours = () => whileChanging(bench, applied, () => bench.measureOurs())
  const results = await measurePairs(pairs, signal, ours, () => bench.measurePeer(), log)
  const failed = results.reduce((sum, each) => sum + each.ours.failed, 0)
  const killed = await failedWhileKilling(bench, signal, log)
  const arrival = await arrivalsMs(bench, signal)
  const ratio = medianRatio(results)
  const samples = results.map((each) => each.ours.requestsPerSecond)
  return {
    ours: median(samples),
    peer: median(results.map((each) => each.peer.requestsPerSecond)),
    ratio,
    ok: ratio >= minimumRatio && failed === 0 && killed.failed === 0,
    samples,
    notes: [
      `failed requests: ${failed}; with ${kills} members killed: ${killed.failed} of ${killed.requests}`,
      `a change is in force after ${median(applied).toFixed(1)} ms, p99 ${percentile(applied, 99).toFixed(1)} ms (${applied.length} changes under load)`,
      `from the change to the first request at a new member: ${median(arrival).toFixed(1)} ms, p99 ${percentile(arrival, 99).toFixed(1)} ms`,
      ...describePairs(results),
    ],
  }
}

/** Four of the eight members are in the table; every change takes the oldest out and another in. */
async function whileChanging(bench: GatewayBench, applied: number[], act: () => Promise<Sample>): Promise<Sample> {
  const abort = new AbortController()
  const changes = (async () => {
    for (let turn = 0; !abort.signal.aborted; turn++) {
      const ports = [0, 1, 2, 3].map((offset) => bench.ports[(turn + offset) % bench.ports.length]!)
      const begin = performance.now()
      await bench.applyMembers(ports)
      applied.push(performance.now() - begin)
      await delay(changeMs, undefined, { signal: abort.signal }).catch(() => {})
    }
  })()
  try {
    return await act()
  } finally {
    abort.abort()
    await changes
  }
}

/** One of three members is killed without a word, again and again; the two others stay. */
async function failedWhileKilling(
  bench: GatewayBench,
  signal: AbortSignal,
  log: (text: string) => void,
): Promise<{ failed: number; requests: number }> {
  let failed = 0
  let requests = 0
  for (let turn = 0; turn < kills; turn++) {
    signal.throwIfAborted()
    const victim = await spawnMember()
    try {
      await bench.applyMembers([bench.ports[0]!, bench.ports[1]!, victim.port])
      const load = bench.measureOurs({ seconds: 2 })
      await delay(1000)
      victim.child.kill('SIGKILL')
      const sample = await load
      failed += sample.failed
      requests += sample.requestsPerSecond * 2
    } finally {
      victim.child.kill('SIGKILL')
    }
    log(`member ${turn + 1} of ${kills} killed: ${failed} failed`)
  }
  return { failed, requests: Math.round(requests) }
}

async function spawnMember(): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  const program = `require('node:http').createServer((request, response) => response.end('x'.repeat(200)))
    .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { port: Number(line.toString()), child }
}

/** From the call of `apply` to the first request that a member sees that was not there before, under load. */
async function arrivalsMs(bench: GatewayBench, signal: AbortSignal): Promise<number[]> {
  const load = bench.measureOurs({ seconds: arrivals / 4 })
  const times: number[] = []
  for (let turn = 0; turn < arrivals; turn++) {
    signal.throwIfAborted()
    const { promise: first, resolve } = Promise.withResolvers<number>()
    const server = createServer((_, response) => {
      resolve(performance.now())
      response.end('x'.repeat(200))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const begin = performance.now()
    await bench.applyMembers([...bench.ports.slice(0, 3), (server.address() as AddressInfo).port])
    times.push((await first) - begin)
    await bench.applyMembers(bench.ports.slice(0, 4))
    server.close()
    await delay(100)
  }
  await load
  return times
}
