import { webApp } from '../../e2e/support/apps.ts'
import { Cluster } from '../../e2e/support/cluster.ts'
import { startLoad } from '../../e2e/support/load.ts'
import { type Figure, type FigureContext, percentile } from '../figure.ts'

const replicas = 10

/** A deploy of ten instances under load, once left alone and once with each of our processes killed half-way. */
export const figure: Figure = {
  name: 'rollout-load',
  description: 'failed requests while 10 instances are replaced under load; also with agent or server killed half-way',
  unit: 'failed requests',
  peer: 'none',
  peerKind: 'none',
  target: '= 0 at >= 1000 requests/s',
  async run(context) {
    await using cluster = await Cluster.start()
    const app = (version: string) => webApp({ app: 'shop', replicas, version, extra: 'rollout: {surge: 3}' })
    const repository = await cluster.repository('shop', app('0'))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const notes: string[] = []
    const failed: number[] = []
    let slowest = Number.POSITIVE_INFINITY
    for (const [index, victim] of (['none', 'agent', 'server'] as const).entries()) {
      await repository.commit(app(String(index + 1)))
      const load = startLoad(`${cluster.gatewayUrl}/`, {
        host: 'shop.test',
        connections: 8,
        maxMs: 300_000,
        pauseMs: 0,
      })
      const seconds = await rollOut(cluster, repository.path, victim, context)
      const report = await load.stop()
      failed.push(report.failures.length)
      slowest = Math.min(slowest, report.perSecond)
      notes.push(
        `killed: ${victim}: ${report.requests} requests at ${report.perSecond.toFixed(0)}/s in ${seconds.toFixed(1)} s, ${report.failures.length} failed, p99 ${percentile(report.latencies, 99).toFixed(0)} ms`,
        ...report.failures.slice(0, 3),
      )
    }
    const worst = Math.max(...failed)
    return { ours: worst, peer: 0, ratio: worst, ok: worst === 0 && slowest >= 1000, samples: failed, notes }
  },
}

async function rollOut(
  cluster: Cluster,
  repository: string,
  victim: 'none' | 'agent' | 'server',
  context: FigureContext,
): Promise<number> {
  const started = performance.now()
  const { client } = cluster
  const deploy = client.call('deploy', {
    params: { app: 'shop' },
    body: { repository, pool: 'production', ref: 'HEAD' },
  })
  const build = (await deploy).build?.id ?? ''
  let killed = victim === 'none'
  for (;;) {
    const rollout = await currentRollout(cluster, build)
    if (rollout?.endedAt !== undefined) {
      if (rollout.state !== 'succeeded') throw new Error(`the rollout ended ${rollout.state}: ${rollout.message}`)
      return (performance.now() - started) / 1000
    }
    const progress = rollout?.progress.web
    if (!killed && victim !== 'none' && progress !== undefined && progress.newReady >= replicas / 2) {
      process.kill(await cluster.pidOf(victim), 'SIGKILL')
      context.log(`${victim} killed with ${progress.newReady} of ${replicas} replaced`)
      killed = true
    }
    if (performance.now() - started > 240_000) throw new Error(`the rollout does not end: ${JSON.stringify(rollout)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** undefined while the server is away. */
async function currentRollout({ client }: Cluster, build: string) {
  try {
    const { rollout, state, error } = await client.call('getBuild', { params: { id: build } })
    if (state === 'failed') throw Object.assign(new Error(`the build failed: ${error?.message}`), { fatal: true })
    return rollout === undefined ? undefined : await client.call('getRollout', { params: { id: rollout } })
  } catch (error) {
    if ((error as { fatal?: boolean }).fatal === true) throw error
    return undefined
  }
}
