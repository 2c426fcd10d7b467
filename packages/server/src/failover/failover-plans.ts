import { type NodeFailover, planFailover, preferredFor, type RoutesMode } from '@berth/core'
import type { State } from '../records/index.ts'

const nothing: NodeFailover = { source: '', addresses: [] }

export const routesMode = (state: State): RoutesMode => state.routings.get('cluster')?.mode ?? 'static'

/** Who may hold which failover address, made anew after a change only. */
export class FailoverPlans {
  readonly #state: State
  #plan: ReadonlyMap<string, NodeFailover> | undefined

  constructor(state: State) {
    this.#state = state
    state.changes.subscribe(({ kind }) => {
      if (kind === 'nodes' || kind === 'routings' || kind === 'failoverAddresses') this.#plan = undefined
    })
  }

  of(node: string): NodeFailover {
    return this.#now.get(node) ?? nothing
  }

  preferredFor(address: string): string | undefined {
    return preferredFor(this.#now, address)
  }

  get #now(): ReadonlyMap<string, NodeFailover> {
    const state = this.#state
    this.#plan ??= planFailover({
      ...{ mode: routesMode(state), addresses: state.failoverAddresses.all() },
      nodes: [...state.nodes.values()],
    })
    return this.#plan
  }
}
