import { BerthError, type Node } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import { groupOfNode } from '../groups/group-use.ts'
import type { State } from '../records/index.ts'
import type { Nodes } from './nodes.ts'

export interface SpeedAgents {
  isConnected(node: string): boolean
  /** Units of work that one core does in a second. */
  measureSpeed(node: string, options: { readonly signal: AbortSignal }): Promise<number>
}

export interface SpeedMeasurement {
  readonly node: Node
  readonly against: string
  readonly measured: number
  readonly reference: number
}

const fullSpeedMilli = 1000
const stepMilli = 10

/** Measures what a node's cores are worth beside another's, and writes it down. */
export class NodeSpeed {
  readonly #state: State
  readonly #nodes: Nodes
  readonly #agents: SpeedAgents

  constructor(state: State, nodes: Nodes, agents: SpeedAgents) {
    this.#state = state
    this.#nodes = nodes
    this.#agents = agents
  }

  /** One after the other: side by side they could be on one machine, and then each would take from the other. */
  async measure(
    name: string,
    against: string | undefined,
    { signal, context }: { readonly signal: AbortSignal; readonly context: CallContext },
  ): Promise<SpeedMeasurement> {
    const own = this.#nodes.require(name)
    const other = against === undefined ? this.#referenceFor(own) : this.#nodes.require(against)
    const measured = await this.#agents.measureSpeed(own.name, { signal })
    const reference = await this.#agents.measureSpeed(other.name, { signal })
    const ratio = (measured / reference) * (other.speedMilli ?? fullSpeedMilli)
    const speedMilli = Math.min(100_000, Math.max(stepMilli, Math.round(ratio / stepMilli) * stepMilli))
    return { node: await this.#nodes.update(name, { speedMilli }, context), against: other.name, measured, reference }
  }

  /** A node of full speed that can be asked: of the same group, if there is one, and the first by name. */
  #referenceFor(own: Node): Node {
    const isSameGroup = (node: Node): boolean => groupOfNode(node) === groupOfNode(own)
    const [found] = [...this.#state.nodes.values()]
      .filter((node) => node.name !== own.name && (node.speedMilli ?? fullSpeedMilli) === fullSpeedMilli)
      .filter((node) => this.#agents.isConnected(node.name))
      .sort((a, b) => Number(isSameGroup(b)) - Number(isSameGroup(a)) || (a.name < b.name ? -1 : 1))
    if (found !== undefined) return found
    throw new BerthError(
      'node.no-reference',
      `measure the speed of ${own.name}: no other node of speed 1 is connected that it could be compared with; name one with --against, or set the speed yourself`,
      { details: { node: own.name } },
    )
  }
}
