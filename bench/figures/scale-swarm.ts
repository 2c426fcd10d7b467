import { performance } from 'node:perf_hooks'
import { Cluster } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import type { Lab, LabHost } from '../../packages/lab/src/index.ts'
import { type Figure, type FigureResult, median } from '../figure.ts'
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
    const done: Round[] = []
    for (let round = 0; round < rounds && !context.signal.aborted; round++) {
      const ours = await scaleBerth(cluster)
      const peer = await scaleSwarm(swarm)
      done.push({ ours, peer })
      context.log(`round ${round + 1}: ours ${inSeconds(ours)}, Swarm ${inSeconds(peer)}`)
    }
    return report(done)
  },
}

/** Seconds from the call. */
interface Times {
  /** Until the last one has answered. */
  readonly answered: number
  /** Until all are in use: ready here, running in Swarm, which is after the first success of the health check. */
  readonly inUse: number
}

interface Round {
  readonly ours: Times
  readonly peer: Times
}

const inSeconds = ({ answered, inUse }: Times): string => `${answered.toFixed(2)} s (in use ${inUse.toFixed(2)} s)`

function report(done: readonly Round[]): FigureResult {
  const ratio = median(done.map(({ ours, peer }) => ours.answered / peer.answered))
  const inUse = (side: keyof Round): string => `${median(done.map((each) => each[side].inUse)).toFixed(1)} s`
  return {
    ours: median(done.map(({ ours }) => ours.answered)),
    peer: median(done.map(({ peer }) => peer.answered)),
    ratio,
    ok: ratio <= 0.9,
    samples: done.map(({ ours }) => ours.answered),
    notes: [
      `until all were in use: ours ${inUse('ours')}, Swarm ${inUse('peer')}, whose health check has an interval of 10 s`,
    ],
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

async function scaleBerth(cluster: Cluster): Promise<Times> {
  const started = performance.now()
  await scaleTo(cluster, count)
  const addresses = await until(`${count} addresses`, async () => {
    const found = (await instances(cluster, 'tiny')).flatMap((each) => each.address ?? [])
    return found.length === count && found
  })
  const answered = await Promise.all(addresses.map((address) => untilAnswers(`http://${address}:8080/`)))
  await until(`${count} ready`, async () => (await instances(cluster, 'tiny')).every((each) => each.ready), 180_000)
  const inUse = performance.now()
  await scaleTo(cluster, 1)
  return timesSince(started, answered, inUse)
}

const timesSince = (started: number, answered: readonly number[], inUse: number): Times => ({
  answered: (Math.max(...answered) - started) / 1000,
  inUse: (inUse - started) / 1000,
})

async function scaleSwarm(swarm: Swarm): Promise<Times> {
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
  await until(`${count} running tasks`, async () => (await swarm.running()) === count, 180_000)
  const inUse = performance.now()
  await swarm.scale(1)
  await until('one task', async () => (await swarm.addresses()).length === 1, 180_000)
  return timesSince(started, answered, inUse)
}
