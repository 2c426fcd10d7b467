import { readFileSync } from 'node:fs'
import { Cluster } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import type { Figure } from '../figure.ts'
import { httpProbe, instances, tinyApp } from '../support.ts'

const count = 50

/** Private memory (RssAnon) of server and agent with 50 instances, after they have been used and left alone for a minute. */
export const figure: Figure = {
  name: 'memory',
  description: `private memory of server + agent together with ${count} instances`,
  unit: 'MB',
  peer: 'none',
  peerKind: 'none',
  target: '< 150 MB',
  async run(context) {
    await using cluster = await Cluster.start()
    const repository = await cluster.repository('tiny', tinyApp(count, httpProbe))
    await cluster.mustBerth(['deploy', 'tiny', '--repository', repository.path])
    for (let call = 0; call < 50; call++) await instances(cluster, 'tiny')
    const samples: number[] = []
    const notes: string[] = []
    const until60 = Date.now() + 60_000
    await until('a minute', () => Date.now() > until60 || context.signal.aborted, 70_000)
    let sum = 0
    for (const name of ['server', 'agent', 'netd'] as const) {
      const status = readFileSync(`/proc/${await cluster.pidOf(name)}/status`, 'utf8')
      const anonymous = megabytes(status, 'RssAnon')
      notes.push(`${name}: RssAnon ${anonymous.toFixed(0)} MB, RSS ${megabytes(status, 'VmRSS').toFixed(0)} MB`)
      if (name !== 'netd') sum += anonymous
      samples.push(anonymous)
    }
    return { ours: sum, peer: 0, ratio: sum, ok: sum < 150, samples, notes }
  },
}

const megabytes = (status: string, field: string): number =>
  (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6
