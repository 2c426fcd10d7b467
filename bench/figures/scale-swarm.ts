import { performance } from 'node:perf_hooks'
import { Cluster } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import type { Lab, LabHost } from '../../packages/lab/src/index.ts'
import { type Figure, type FigureContext, median } from '../figure.ts'
import { commandProbe, instances, tinyApp, untilAnswers } from '../support.ts'
import { type Swarm, startSwarm } from '../swarm.ts'

const hosts = 3
const count = 60
const rounds = 3

export const figure: Figure = {
  name: 'scale-swarm',
  description: `1 → ${count} instances over ${hosts} hosts, until the last answers 200 at its own address`,
  unit: 's',
  peer: `docker service scale over ${hosts} engines of the same version beside them, same image, limits and health check`,
  target: '<= 0.9',
  async run(context) {
    await using cluster = await threeHosts()
    const image = await deployed(cluster)
    await using swarm = await startSwarm({ hosts, image, source: cluster.first })
    const done: { readonly ours: number; readonly peer: number }[] = []
    for (let round = 0; round < rounds && !context.signal.aborted; round++) {
      const ours = await scaleBerth(cluster)
      const peer = await scaleSwarm(swarm)
      done.push({ ours, peer })
      context.log(`round ${round + 1}: ours ${ours.toFixed(2)} s, Swarm ${peer.toFixed(2)} s`)
    }
    return report(done, context)
  },
}

function report(done: readonly { readonly ours: number; readonly peer: number }[], _: FigureContext) {
  const ratio = median(done.map((each) => each.ours / each.peer))
  return {
    ours: median(done.map((each) => each.ours)),
    peer: median(done.map((each) => each.peer)),
    ratio,
    ok: ratio <= 0.9,
    samples: done.map((each) => each.ours),
  }
}

async function threeHosts(): Promise<Cluster> {
  const cluster = await Cluster.start({ hosts })
  for (const host of cluster.lab.hosts.slice(1)) await cluster.join(host)
  const { items } = await cluster.client.list('listNodes', {})
  for (const node of items) await route(cluster.lab, cluster.lab.host(node.name), node.block)
  return cluster
}

const route = (lab: Lab, host: LabHost, block: string | undefined): Promise<void> => {
  if (block === undefined) throw new Error(`${host.name} has no addresses for containers`)
  return lab.routeContainers(host, block)
}

/** Returns the id of the app's image, which every node has by then: what is measured is starting, not copying. */
async function deployed(cluster: Cluster): Promise<string> {
  const repository = await cluster.repository('tiny', tinyApp(hosts, commandProbe))
  await cluster.mustBerth(['deploy', 'tiny', '--repository', repository.path])
  const image = (await cluster.containers())[0]
  const inspected = await cluster.first.exec(['docker', 'inspect', '--format', '{{.Image}}', image?.name ?? ''])
  await scaleTo(cluster, 1)
  return inspected.stdout.trim()
}

async function scaleTo(cluster: Cluster, web: number): Promise<void> {
  const params = { app: 'tiny', pool: 'production' }
  await cluster.client.call('scalePool', { params, body: { replicas: { web } } })
  await until(`${web} instances`, async () => (await instances(cluster, 'tiny')).length === web, 180_000)
}

async function scaleBerth(cluster: Cluster): Promise<number> {
  const started = performance.now()
  await scaleTo(cluster, count)
  const addresses = await until(`${count} addresses`, async () => {
    const found = (await instances(cluster, 'tiny')).flatMap((each) => each.address ?? [])
    return found.length === count && found
  })
  const answered = await Promise.all(addresses.map((address) => untilAnswers(`http://${address}:8080/`)))
  const seconds = (Math.max(...answered) - started) / 1000
  await scaleTo(cluster, 1)
  return seconds
}

async function scaleSwarm(swarm: Swarm): Promise<number> {
  const started = performance.now()
  await swarm.scale(count)
  const addresses = await until(
    `${count} tasks`,
    async () => {
      const found = await swarm.addresses()
      return found.length === count && found
    },
    180_000,
  )
  const answered = await Promise.all(addresses.map((address) => untilAnswers(`http://${address}:8080/`)))
  const seconds = (Math.max(...answered) - started) / 1000
  await swarm.scale(1)
  await until('one task', async () => (await swarm.addresses()).length === 1, 180_000)
  return seconds
}
