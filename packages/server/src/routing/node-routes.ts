import type { NodeRoutesView, RoutesReport, RoutingSessionsView } from '@berth/api'
import { BerthError, blocksOf, twinned } from '@berth/core'
import { twinBlock, twinRangesOf } from '../addresses/twin-pools.ts'
import type { AgentLinks } from '../agents/agent-links.ts'
import { askNodes } from '../policy/ask-nodes.ts'
import type { State } from '../records/index.ts'

const answerMs = 10_000

/** Asks nodes how they get to others' blocks. */
export class NodeRoutes {
  readonly #state: State
  readonly #agents: Pick<AgentLinks, 'request'>

  constructor(state: State, agents: Pick<AgentLinks, 'request'>) {
    this.#state = state
    this.#agents = agents
  }

  /** Throws `node.not-found`, `node.offline`. */
  async of(node: string, { signal }: { readonly signal: AbortSignal }): Promise<NodeRoutesView> {
    if (!this.#state.nodes.has(node))
      throw new BerthError('node.not-found', `there is no node ${node}; see: berth node ls`, { details: { node } })
    const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    const { mode, running, sessions, routes } = await this.#agents.request<RoutesReport>(node, {
      ...{ method: 'GET', path: '/v1/routes', signal: limit },
    })
    const owners = new Map(
      [...this.#state.nodes.values()].flatMap((each) =>
        blocksOf(each).flatMap((block) =>
          [block, twinBlock(this.#state, block) ?? []].flat().map((text) => [text, each.name] as const),
        ),
      ),
    )
    return {
      ...{ node, mode, running, sessions: sessions.map((each) => ({ ...each })) },
      routes: routes.map((route) => {
        const owner = owners.get(route.block) ?? bearerOf(this.#state, route.block)
        return owner === undefined ? { ...route } : { ...route, owner }
      }),
    }
  }

  /** Of all nodes that tell of any in what they report by themselves; routes stay with the nodes. */
  async sessions({ signal }: { readonly signal: AbortSignal }): Promise<RoutingSessionsView> {
    const nodes = [...this.#state.nodeStatuses.values()].flatMap(({ name, routes }) =>
      this.#state.nodes.has(name) && (routes?.sessions ?? 0) > 0 ? [name] : [],
    )
    const request = { method: 'GET', path: '/v1/routes' } as const
    const { answers, silent } = await askNodes<RoutesReport>({ agents: this.#agents, nodes, request, signal })
    return {
      nodes: answers.map(({ node, answer: { mode, running, sessions } }) => ({
        ...{ node, mode, running, sessions: sessions.map((each) => ({ ...each })) },
      })),
      silent,
    }
  }
}

/** Of a single address that is kept or borrowed: the node whose instance has it. */
function bearerOf(state: State, block: string): string | undefined {
  const [address = '', prefix] = block.split('/')
  const single = prefix === '32' ? address : prefix === '128' ? twinned(twinRangesOf(state), address) : undefined
  const kept = single === undefined ? undefined : state.keptAddresses.get(single)
  if (kept === undefined)
    return single === undefined
      ? undefined
      : state.instances.borrowersOf(single).find(({ desired }) => desired !== 'stop')?.node
  const { app, pool, entrypoint, slot } = kept
  const holders = state.instances.byPool(app, pool)
  return holders.find((each) => each.entrypoint === entrypoint && each.slot === slot && each.desired !== 'stop')?.node
}
