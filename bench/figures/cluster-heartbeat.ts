import { setTimeout as delay } from 'node:timers/promises'
import type { ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { clusterForm, describeForm } from '../cluster/cluster-form.ts'
import { runCluster } from '../cluster/run-cluster.ts'
import { type Figure, type FigureResult, percentile } from '../figure.ts'

const size = { nodes: 1_000, apps: 10, replicas: 1_000 }
const watchedSeconds = 60
const maxShare = 0.05
const maxMs = 50
const asked = 200

export const figure: Figure = {
  name: 'cluster-heartbeat',
  description:
    'part of one core that the heartbeats of 1,000 nodes cost the server, with instances that are only there',
  unit: 'cores',
  peer: 'none',
  peerKind: 'none',
  target: `<= ${maxShare}`,
  async run({ signal, log }) {
    const form = clusterForm(size)
    let result: FigureResult | undefined
    await runCluster({ ...form, signal, log }, async ({ server }) => {
      await delay(10_000, undefined, { signal })
      const before = server.cpuSeconds
      await delay(watchedSeconds * 1000, undefined, { signal })
      const share = ((server.cpuSeconds - before) / watchedSeconds) * (1_000 / form.nodes)
      const answers = await timesOfAnswers(server, signal)
      const slowest = Math.max(...answers.map(({ p99 }) => p99))
      result = {
        ...{ ours: share, peer: 0, ratio: 0, ok: share <= maxShare && slowest <= maxMs, samples: [share] },
        notes: [
          describeForm(form),
          ...answers.map(
            ({ what, p99, median, cpu }) =>
              `${what}: p99 ${p99.toFixed(1)} ms, median ${median.toFixed(1)} ms (at most ${maxMs} ms); ${cpu.toFixed(1)} ms of the server's processor time`,
          ),
        ],
      }
    })
    if (result === undefined) throw new Error('nothing was measured')
    return result
  },
}

async function timesOfAnswers(server: ServerProcess, signal: AbortSignal) {
  const { client } = server
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'one node': () => client.call('getNode', { params: { name: 'sim-1' } }, { signal }),
    'one app': () => client.call('getApp', { params: { app: 'app-0001' } }, { signal }),
    'instances of a node': () => client.list('listInstances', { query: { node: 'sim-1' } }, { signal }),
    'instances of an app': () => client.list('listInstances', { query: { app: 'app-0001' } }, { signal }),
  }
  const results: { what: string; p99: number; median: number; cpu: number }[] = []
  for (const [what, call] of Object.entries(calls)) {
    const times: number[] = []
    const before = server.cpuSeconds
    for (let n = 0; n < asked; n += 1) {
      const startedAt = performance.now()
      await call()
      times.push(performance.now() - startedAt)
    }
    const cpu = ((server.cpuSeconds - before) * 1000) / asked
    results.push({ what, p99: percentile(times, 99), median: percentile(times, 50), cpu })
  }
  return results
}
