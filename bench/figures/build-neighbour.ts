import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { cpus } from 'node:os'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { contextOf, TestDockerd } from '../../packages/agent/src/build/dockerd.testing.ts'
import { createImageBuilder, type ImageBuilder } from '../../packages/agent/src/build/image-builder.ts'
import { DockerClient } from '../../packages/agent/src/engine/docker-client.ts'
import { makeBaseImages, NODE_IMAGE } from '../../packages/lab/src/base-image.ts'
import { type Figure, type FigureContext, median, percentile } from '../figure.ts'

const rounds = 7
const roundMs = 8_000
const requestsPerSecond = 200
const maxRatio = 1.5

/** About a millisecond of work a request, as a small service has it. */
const service = (port: number): string => `
const { pbkdf2Sync } = require('node:crypto')
require('node:http').createServer((_, response) => {
  pbkdf2Sync('a', 'b', 1000, 32, 'sha256')
  response.end('ok')
}).listen(${port}, '127.0.0.1')`

export const figure: Figure = {
  name: 'build-neighbour',
  description: 'p99 of a running service during a build that burns all cores ÷ its p99 without',
  unit: 'ms',
  peer: 'the same service with no build',
  target: `<= ${maxRatio}`,
  async run(context) {
    await using dockerd = new TestDockerd()
    await dockerd.start()
    await makeBaseImages(`unix://${dockerd.socketPath}`, { signal: context.signal })
    await using client = new DockerClient(dockerd.socketPath, pino({ level: 'silent' }))
    const builder = createImageBuilder({ client, log: pino({ level: 'silent' }) })
    const port = await freePort()
    dockerd.docker('run', '--detach', '--network=host', '--cpus=1', NODE_IMAGE, 'node', '-e', service(port))
    await untilServing(port, context.signal)
    return await measure(builder, port, context)
  },
}

async function measure(builder: ImageBuilder, port: number, context: FigureContext) {
  const [quiet, busy]: [number[], number[]] = [[], []]
  const ratios: number[] = []
  const foreign = await machineLoad(context.signal)
  // The first seconds are for the service's own compiler.
  await p99Of(port, roundMs / 2, context.signal)
  for (let round = 0; round < rounds; round += 1) {
    const without = await p99Of(port, roundMs, context.signal)
    const during = await duringBuild(builder, port, round, context.signal)
    quiet.push(without)
    busy.push(during)
    ratios.push(during / without)
    context.log(
      `round ${round + 1} of ${rounds}: p99 ${without.toFixed(2)} ms alone, ${during.toFixed(2)} ms during a build`,
    )
  }
  const ratio = median(ratios)
  const notes = [
    `${cpus().length} cores, all of them burnt by the build; ${requestsPerSecond} requests/s, ${roundMs / 1000} s each, ${rounds} pairs`,
    `other work on this machine took ${foreign.toFixed(1)} cores before; above 0.2 the figure says little`,
  ]
  return { ours: median(busy), peer: median(quiet), ratio, ok: ratio <= maxRatio, samples: ratios, notes }
}

/** Twice as many busy loops as cores, so that no limit is left unused. */
async function duringBuild(builder: ImageBuilder, port: number, round: number, signal: AbortSignal): Promise<number> {
  const loops = Array.from({ length: cpus().length * 2 }, () => '(while :; do :; done) &').join(' ')
  const dockerfile = `FROM ${NODE_IMAGE}\nRUN echo burning; ${loops} wait\n`
  const request = {
    id: `bench-${round}`,
    app: 'bench',
    tag: 'berth/app-bench:bench',
    dockerfile: 'Dockerfile',
    args: {},
    labels: {},
    cpuMilli: cpus().length * 1000,
    memoryBytes: 1024 ** 3,
    timeoutMs: 600_000,
    network: 'none',
    noCache: true,
  }
  const events = builder.build(request, Readable.from(contextOf({ Dockerfile: dockerfile }), { objectMode: false }), {
    signal,
  })
  try {
    for (;;) {
      const { value, done } = await events.next()
      if (done === true || value.type === 'failed') throw new Error(`the build does not run: ${JSON.stringify(value)}`)
      if (value.type === 'output' && value.line === 'burning') break
    }
    await sleep(500)
    return await p99Of(port, roundMs, signal)
  } finally {
    await events.return(undefined)
  }
}

/** Milliseconds from when a request was due, not from when it could be sent, to the end of its answer. */
async function p99Of(port: number, durationMs: number, signal: AbortSignal): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const latencies: number[] = []
  const pending: Promise<void>[] = []
  let failure: unknown
  const started = performance.now()
  try {
    for (let index = 0; (index * 1000) / requestsPerSecond < durationMs; index += 1) {
      signal.throwIfAborted()
      const due = started + (index * 1000) / requestsPerSecond
      const wait = due - performance.now()
      if (wait > 0) await sleep(wait)
      // Timers may fire a moment early.
      const from = Math.min(due, performance.now())
      const note = () => void latencies.push(performance.now() - from)
      pending.push(ask(port, agent).then(note, (error: unknown) => (failure = error)) as Promise<void>)
    }
    await Promise.all(pending)
    if (failure !== undefined) throw failure
    return percentile(latencies, 99)
  } finally {
    agent.destroy()
  }
}

const ask = (port: number, agent: Agent | false): Promise<void> =>
  new Promise((resolve, reject) => {
    const call = httpRequest({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume().once('end', resolve)
    })
    call.once('error', reject)
    call.end()
  })

async function untilServing(port: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + 30_000
  for (;;) {
    signal.throwIfAborted()
    try {
      return await ask(port, false)
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(50)
    }
  }
}

/** Cores in use while nothing of ours runs. */
async function machineLoad(signal: AbortSignal): Promise<number> {
  const usedMs = () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
  const [before, started] = [usedMs(), performance.now()]
  await sleep(2000, undefined, { signal })
  return (usedMs() - before) / (performance.now() - started)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
