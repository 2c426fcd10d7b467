import { type Assignment, type BoundMember, boundMembers, indexNames, type NameIndex } from '@berth/core'
import type { NetdState } from '../dns/netd-state.ts'

/** What an instance binds, as its socket shows it. */
export interface ServiceView {
  /** `db.shop.berth` */
  readonly host: string
  readonly port?: number
  /** Those that are ready, of its own site first. */
  readonly members: readonly BoundMember[]
}

export type Services = Readonly<Record<string, ServiceView>>

/** What this node knows of others, for instances that ask at their sockets. */
export class ServiceTable {
  #names: NetdState['names'] | undefined
  #network: NetdState['network'] | undefined
  #index: NameIndex | undefined
  readonly #listeners = new Set<() => void>()

  namesAre(names: NetdState['names']): void {
    this.#names = names
    this.#changed()
  }

  networkIs(network: NetdState['network']): void {
    this.#network = network
    this.#changed()
  }

  /** By what each is bound as: `DB`. undefined: no server has told this node of any name yet. */
  servicesOf({ socket, pool }: Pick<Assignment, 'socket' | 'pool'>): Services | undefined {
    if (this.#names === undefined || this.#network === undefined) return undefined
    this.#index ??= indexNames(this.#names, this.#network)
    const index = this.#index
    const services = (socket?.services ?? []).map((service): [string, ServiceView] => {
      const { as, host, port } = service
      return [as, { host, ...(port === undefined ? {} : { port }), members: boundMembers(index, service, pool) }]
    })
    return Object.fromEntries(services)
  }

  /** Told of every change of names; gives the way to end it. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    // Made when somebody asks: most nodes have nobody who does.
    this.#index = undefined
    for (const listener of [...this.#listeners]) listener()
  }
}
