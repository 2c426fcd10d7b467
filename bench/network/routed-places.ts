import { Cluster } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import { instances } from '../support.ts'
import type { Place } from './place.ts'

export interface RoutedPlaces extends AsyncDisposable {
  readonly cluster: Cluster
  /** In the order of the lab's hosts, as the containers are. */
  readonly hosts: readonly Place[]
  readonly containers: readonly Place[]
}

const app = 'places'

/** A Berth over so many hosts in routed mode, with an instance on each that does nothing. */
export async function startRoutedPlaces(
  count: number,
  options: {
    readonly profiles?: readonly string[]
    /** Profiles have to be there before somebody names them. */
    readonly beforeDeploy?: (cluster: Cluster) => Promise<void>
  } = {},
): Promise<RoutedPlaces> {
  const cluster = await Cluster.start({ hosts: count, beforeUp: async () => ['--network', 'routed'] })
  try {
    for (const host of cluster.lab.hosts.slice(1)) await cluster.join(host, ['--network', 'routed'])
    await until(
      'all nodes',
      async () => (await cluster.client.list('listNodes')).items.filter((each) => each.online).length === count,
    )
    for (const { name } of cluster.lab.hosts) await cluster.mustBerth(['node', 'label', name, `host=${name}`])
    await options.beforeDeploy?.(cluster)
    return {
      cluster,
      hosts: cluster.lab.hosts.map((host) => ({ host, address: host.address })),
      containers: await deploy(cluster, options.profiles ?? []),
      [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
    }
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

async function deploy(cluster: Cluster, profiles: readonly string[]): Promise<readonly Place[]> {
  const entrypoints = cluster.lab.hosts.map(
    ({ name }) => `  on-${name}: {command: [sleep, '86400'], memory: 64Mi, placement: {where: host = ${name}}}\n`,
  )
  const text = `app: ${app}\nbuild: {base: berth/base:local}\nprofiles: [${profiles.join(', ')}]\nentrypoints:\n${entrypoints.join('')}`
  const repository = await cluster.repository(app, { 'berth.yaml': text })
  await cluster.mustBerth(['deploy', app, '--repository', repository.path])
  const running = await instances(cluster, app)
  return await Promise.all(
    cluster.lab.hosts.map(async (host) => {
      const address = running.find((each) => each.node === host.name)?.address
      const pid = (await cluster.containers(host)).find((each) => each.address === address)?.pid
      if (address === undefined || pid === undefined) throw new Error(`no instance runs on ${host.name}`)
      return { host, address, pid }
    }),
  )
}
