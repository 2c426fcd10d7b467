import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { removeShaping } from './bandwidth/link-shaper.ts'
import { removePolicing } from './bandwidth/policing-table.ts'
import { removeBuildCgroup } from './build/build-cgroup.ts'
import { BuildImages } from './build/build-images.ts'
import { defaults } from './config.ts'
import { DockerClient } from './engine/docker-client.ts'
import { DockerEngine } from './engine/docker-engine.ts'
import { failoverRunDirectory } from './failover/failover-files.ts'
import { removeFailover } from './failover/remove-failover.ts'
import { removeGateway } from './gateway/remove-gateway.ts'
import { labels } from './instance/container-spec.ts'
import { RuntimeFiles } from './instance/runtime-files.ts'
import { readIdentity } from './link/node-identity.ts'
import { LanKeeper } from './network/lan/lan-keeper.ts'
import { createNodeNetwork } from './network/node-network.ts'
import { pluginSocketPath, startContainerPlugin } from './network/plugin/container-plugin.ts'
import { runCommand } from './network/run-command.ts'
import { removePolicyTable } from './policy/policy-kernel.ts'
import { removePublishing } from './publishing/publish-keeper.ts'
import { removeRegistry } from './registry/remove-registry.ts'
import { birdDirectory } from './routing/bird-files.ts'
import { removeRouting } from './routing/remove-routing.ts'

export interface PurgeOptions {
  readonly stateDir: string
  /** Default `/run/berth`. */
  readonly runDir?: string
  readonly dockerSocket: string
  readonly log: Logger
  readonly signal?: AbortSignal
}

/** How long instances have to end by themselves; those that were removed in good order are gone already. */
const stopGraceMs = 10_000

/**
 * Takes what Berth has made outside its folders off this machine: instances that are still there, images, the gateway's nginx, the registry, the network
 * with its bridge, routes, rules and the names' address, the memory that secrets were in. Volumes stay: they are their owners' data.
 * The agent must have ended, else it would make them again. Returns what could not be removed, a sentence each.
 */
export async function purgeNode(options: PurgeOptions): Promise<string[]> {
  const { stateDir, runDir = defaults.runDir, dockerSocket, log, signal } = options
  const problems: string[] = []
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      problems.push(`${what}: ${messageOf(error)}`)
    }
  }
  // Before the gateway ends, so that another one has the addresses by then.
  await attempt('let go of the failover addresses', () =>
    removeFailover({
      ...{ directory: join(stateDir, 'agent', 'failover'), runDirectory: failoverRunDirectory(runDir), log },
      signal: signal ?? AbortSignal.timeout(30_000),
    }),
  )
  await attempt('stop the gateway', () => removeGateway(join(stateDir, 'agent', 'gateway'), log))
  await attempt('stop the registry', () => removeRegistry(join(stateDir, 'agent', 'registry')))
  await using client = new DockerClient(dockerSocket, log)
  await attempt('remove the instances', () => removeInstances(client, stateDir, signal))
  await attempt('remove the images', () => new BuildImages(client).removeAll(signal))
  await attempt('remove the cgroup of builds', () => removeBuildCgroup())
  const routing = { directory: join(stateDir, 'agent', 'routing'), runDirectory: birdDirectory(runDir) }
  await attempt('end BIRD and remove its routes', () =>
    removeRouting({ ...routing, log, signal: signal ?? AbortSignal.timeout(60_000) }),
  )
  await attempt('remove the network', async () => {
    // Docker asks the plugin of a network that it removes, and netd has ended.
    await using _ = await startContainerPlugin({ stateDir, runDir, log })
    await using network = createNodeNetwork({ socketPath: dockerSocket, log })
    await network.remove(signal === undefined ? {} : { signal })
    problems.push(...(await removeLans(options)))
  })
  await attempt('remove the security rules', () => removePolicyTable(runCommand, signal))
  await attempt("remove the network plugin's socket", () => rm(pluginSocketPath, { force: true }))
  await attempt('remove the published ports', () => removePublishing(runCommand, signal))
  await attempt('remove the limits of bandwidth', async () => {
    await removePolicing(runCommand, signal)
    await removeShaping(runCommand, signal)
  })
  await attempt('unmount the secrets', () =>
    new RuntimeFiles({ stateDir, runDir, log, keepEndedMs: defaults.keepEndedMs }).unmount(),
  )
  return problems
}

/** Networks of the machines' own, with what was made of interfaces for them. */
async function removeLans({ stateDir, dockerSocket: socketPath, log, signal }: PurgeOptions): Promise<string[]> {
  await using keeper = new LanKeeper({
    ...{ socketPath, exec: runCommand, log, directory: join(stateDir, 'agent', 'flat') },
    wanted: () => [],
    isRouted: () => false,
    mayRemove: () => true,
    isReached: async () => true,
    onChange: () => undefined,
  })
  await keeper.check(signal === undefined ? {} : { signal })
  return Object.values(keeper.problems)
}

/** Only this node's: other agents may use the same engine. */
async function removeInstances(client: DockerClient, stateDir: string, signal?: AbortSignal): Promise<void> {
  const identity = await readIdentity(stateDir).catch(() => undefined)
  if (identity === undefined) return
  const engine = new DockerEngine({ client })
  const containers = await engine.listContainers(`${labels.node}=${identity.name}`, { signal })
  const own = containers.filter((each) => each.labels[labels.cluster] === identity.cluster)
  await Promise.all(
    own.map(async ({ id }) => {
      await engine.stopContainer(id, stopGraceMs, { signal })
      await engine.removeContainer(id, { signal })
    }),
  )
}
