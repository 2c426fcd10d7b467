import type { UsageReport } from '@berth/api'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { AgentLinks } from '../agents/agent-links.ts'

const timeoutMs = 5_000

export interface GatheredUsage {
  readonly reports: ReadonlyMap<string, UsageReport>
  /** Nodes that did not answer in time, are offline, or have an agent that is too old to know. */
  readonly missing: readonly string[]
}

/** What every node remembers of the last week, asked of all agents at once. */
export async function gatherUsage(
  agents: Pick<AgentLinks, 'usage' | 'isConnected'>,
  nodes: readonly string[],
  signal: AbortSignal,
  log: Logger,
): Promise<GatheredUsage> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const reports = new Map<string, UsageReport>()
  const ask = async (node: string): Promise<void> => {
    if (!agents.isConnected(node)) return
    try {
      reports.set(node, await agents.usage(node, { signal: limited }))
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, node }, `use of node ${node}: ${messageOf(error)}`)
    }
  }
  await Promise.all(nodes.map(ask))
  return { reports, missing: nodes.filter((node) => !reports.has(node)) }
}
