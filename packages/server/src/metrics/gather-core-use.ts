import type { AgentLinks } from '../agents/agent-links.ts'
import type { CoreUse } from '../schedule/core-map.ts'

const timeoutMs = 3_000

/** Asked of the node's agent; nothing where it does not answer in time. */
export async function gatherCoreUse(
  agents: Pick<AgentLinks, 'metrics' | 'isConnected'>,
  node: string,
  signal: AbortSignal,
): Promise<CoreUse> {
  const use = { busyMilli: new Map<number, number>(), throttledMilli: new Map<string, number>() }
  if (!agents.isConnected(node)) return use
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const metrics = await agents.metrics(node, { signal: limited }).catch(() => [])
  for (const { instance, samples } of metrics) {
    const last = samples.at(-1)
    if (last !== undefined) use.throttledMilli.set(instance, Math.round(last.throttledMilli))
  }
  return use
}
