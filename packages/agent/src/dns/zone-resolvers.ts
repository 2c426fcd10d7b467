import { type ForwardZone, forwardZones } from '@berth/core'
import type { Zone } from './forwarder.ts'
import type { NetdState } from './netd-state.ts'
import { Upstream } from './upstream.ts'

export interface ZoneResolversOptions {
  /** Our own addresses: who asks there asks himself. */
  readonly own: readonly string[]
  readonly tell: (zones: readonly Zone[]) => void
  /** 53 but in tests. */
  readonly port?: number | undefined
}

/** Keeps connections to the resolvers of own domains, as the state has them for this node's site. */
export class ZoneResolvers implements Disposable {
  readonly #options: ZoneResolversOptions
  #told = '[]'
  #upstreams: readonly Upstream[] = []

  constructor(options: ZoneResolversOptions) {
    this.#options = options
  }

  setState({ names, network }: Partial<NetdState>): void {
    const { own, tell, port } = this.#options
    const wanted: readonly ForwardZone[] = forwardZones(names?.domains, network?.site)
    const text = JSON.stringify(wanted)
    if (text === this.#told) return
    this.#told = text
    const former = this.#upstreams
    const zones = wanted.map(({ name, resolvers }) => ({
      name,
      resolvers: resolvers.filter((each) => !own.includes(each)).map((address) => new Upstream(address, port)),
    }))
    this.#upstreams = zones.flatMap(({ resolvers }) => resolvers)
    tell(zones)
    for (const upstream of former) upstream[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    for (const upstream of this.#upstreams) upstream[Symbol.dispose]()
    this.#upstreams = []
  }
}
