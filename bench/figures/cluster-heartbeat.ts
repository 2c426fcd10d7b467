import { setTimeout as delay } from 'node:timers/promises'
import type { ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { runCluster } from '../cluster/run-cluster.ts'
import { type Figure, type FigureResult, percentile } from '../figure.ts'

const [nodes, apps, replicas] = [1_000, 10, 1_000]
const watchedSeconds = 60
const maxShare = 0.05
const maxMs = 50

export const figure: Figure = {
  name: 'cluster-heartbeat',
  description: `part of one core that the heartbeats of ${nodes} nodes cost the server, with ${apps * replicas} instances that are only there`,
  unit: 'cores',
  peer: 'none',
  peerKind: 'none',
  target: `<= ${maxShare}`,
  async run({ signal, log }) {
    let result: FigureResult | undefined
    await runCluster({ nodes, apps, replicas, signal, log }, async ({ server }) => {
      await delay(10_000, undefined, { signal })
      const before = server.cpuSeconds
      await delay(watchedSeconds * 1000, undefined, { signal })
      const share = (server.cpuSeconds - before) / watchedSeconds
      const answers = await timesOfAnswers(server, signal)
      const slowest = Math.max(...answers.map(({ p99 }) => p99))
      result = {
        ...{ ours: share, peer: 0, ratio: 0, ok: share <= maxShare && slowest <= maxMs, samples: [share] },
        notes: answers.map(
          ({ what, p99, median }) =>
            `${what}: p99 ${p99.toFixed(1)} ms, median ${median.toFixed(1)} ms (at most ${maxMs} ms)`,
        ),
      }
    })
    if (result === undefined) throw new Error('nothing was measured')
    return result
  },
}

async function timesOfAnswers({ client }: ServerProcess, signal: AbortSignal) {
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'one node': () => client.call('getNode', { params: { name: 'sim-1' } }, { signal }),
    'one app': () => client.call('getApp', { params: { app: 'app-0001' } }, { signal }),
    'instances of a node': () => client.list('listInstances', { query: { node: 'sim-1' } }, { signal }),
    'instances of an app': () => client.list('listInstances', { query: { app: 'app-0001' } }, { signal }),
  }
  const results: { what: string; p99: number; median: number }[] = []
  for (const [what, call] of Object.entries(calls)) {
    const times: number[] = []
    for (let n = 0; n < 200; n += 1) {
      const startedAt = performance.now()
      await call()
      times.push(performance.now() - startedAt)
    }
    results.push({ what, p99: percentile(times, 99), median: percentile(times, 50) })
  }
  return results
}
