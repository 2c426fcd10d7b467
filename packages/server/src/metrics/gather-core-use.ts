import type { AgentLinks } from '../agents/agent-links.ts'
import type { CoreUse } from '../schedule/core-map.ts'

const timeoutMs = 3_000

/** Asked of the node's agent; nothing where it does not answer in time, or is too old to know. */
export async function gatherCoreUse(
  agents: Pick<AgentLinks, 'cores' | 'isConnected'>,
  node: string,
  signal: AbortSignal,
): Promise<CoreUse> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const report = agents.isConnected(node)
    ? await agents.cores(node, { signal: limited }).catch(() => undefined)
    : undefined
  const { cores = [], instances = [] } = report ?? {}
  return {
    busyMilli: new Map(cores.map(({ core, busyMilli }) => [core, busyMilli])),
    throttledMilli: new Map(instances.map(({ instance, throttledMilli }) => [instance, Math.round(throttledMilli)])),
    starving: instances.filter(({ starving }) => starving).map(({ instance }) => instance),
  }
}
