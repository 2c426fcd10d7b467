import { performance } from 'node:perf_hooks'
import { webApp } from '../../e2e/support/apps.ts'
import { Cluster } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import { type Figure, median } from '../figure.ts'
import { instances } from '../support.ts'

const replicas = 6
const graceMs = 15_000
const rounds = 3
const placement = `    placement: {reschedule: {after: ${graceMs / 1000}s}}`

export const figure: Figure = {
  name: 'node-lost',
  description: `power of a node is cut: until all that ran there is in traffic elsewhere, beyond the app's grace of ${graceMs / 1000} s`,
  unit: 's',
  peer: 'none',
  peerKind: 'none',
  target: '<= 3',
  async run(context) {
    await using cluster = await Cluster.start({ hosts: 3 })
    for (const host of cluster.lab.hosts.slice(1)) await cluster.join(host)
    const repository = await cluster.repository('shop', webApp({ replicas, entrypointExtra: placement }))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const samples: number[] = []
    for (let round = 0; round < rounds && !context.signal.aborted; round++) {
      samples.push(await lose(cluster, 'h3'))
      context.log(`round ${round + 1}: ${samples.at(-1)?.toFixed(2)} s beyond the grace`)
      await bringBack(cluster, 'h3')
    }
    const ours = Math.max(...samples)
    return { ours, peer: 0, ratio: ours, ok: ours <= 3, samples, notes: [`median ${median(samples).toFixed(2)} s`] }
  },
}

const wanted = async (cluster: Cluster) =>
  (await instances(cluster, 'shop')).filter((each) => each.desired === 'run' && each.inTraffic)
const on = async (cluster: Cluster, node: string) => (await wanted(cluster)).filter((each) => each.node === node).length

async function lose(cluster: Cluster, name: string): Promise<number> {
  if ((await on(cluster, name)) === 0) throw new Error(`nothing runs on ${name}`)
  const cutAt = performance.now()
  await cluster.lab.host(name).powerOff()
  await until(
    'all of it to be elsewhere',
    async () => (await wanted(cluster)).filter((each) => each.node !== name).length === replicas,
    120_000,
  )
  return (performance.now() - cutAt - graceMs) / 1000
}

/** Until the node has its share again. */
async function bringBack(cluster: Cluster, name: string): Promise<void> {
  await cluster.lab.host(name).boot()
  await cluster.mustBerth(['up'], { host: cluster.lab.host(name) })
  const isOnline = async () => (await cluster.client.call('getNode', { params: { name } })).online
  await until(`${name} to be online`, isOnline, 120_000)
  await cluster.mustBerth(['restart', 'shop'])
  await until('rest', async () => (await wanted(cluster)).length === replicas && (await on(cluster, name)) > 0, 120_000)
}
