import type { MetricsView } from '@berth/api'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { State } from '../records/index.ts'

export interface MetricsQuery {
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly instance?: string | undefined
  readonly node?: string | undefined
  readonly sinceMs?: number | undefined
}

export interface GatherOptions {
  readonly state: State
  readonly agents: Pick<AgentLinks, 'metrics' | 'isConnected'>
  readonly query: MetricsQuery
  readonly signal: AbortSignal
  readonly log: Logger
}

const timeoutMs = 5_000

/** Samples of the matching instances, asked of their agents at once. A node that does not answer in time is left out. */
export async function gatherMetrics(options: GatherOptions): Promise<MetricsView[]> {
  const { state, agents, query, log } = options
  const wanted = state.instances
    .all()
    .filter(
      (each) =>
        (query.app === undefined || each.app === query.app) &&
        (query.pool === undefined || each.pool === query.pool) &&
        (query.instance === undefined || each.id === query.instance) &&
        (query.node === undefined || each.node === query.node),
    )
  const nodes = new Set(
    wanted.map((each) => each.node).filter((node) => node !== undefined && agents.isConnected(node)),
  )
  const ids = new Set(wanted.map((each) => each.id))
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)])
  const ask = async (node: string): Promise<MetricsView[]> => {
    try {
      return (await agents.metrics(node, { sinceMs: query.sinceMs, signal })).filter((each) => ids.has(each.instance))
    } catch (error) {
      if (!options.signal.aborted) log.warn({ err: error, node }, `metrics of node ${node}: ${messageOf(error)}`)
      return []
    }
  }
  return (await Promise.all([...nodes].map((node) => ask(node as string)))).flat()
}
