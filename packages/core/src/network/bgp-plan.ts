import { tryParseAddress } from './address-block.ts'
import type { BgpPeer, BgpSettings, RoutesMode } from './bgp-settings.ts'

/** What of a node matters to who speaks with whom. */
export interface BgpNode {
  readonly name: string
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
  readonly joinedAt: number
}

export interface BgpSession {
  /** With a node, by its name; or with a router, by the peer's. */
  readonly with: 'node' | 'peer'
  readonly name: string
  readonly address: string
  readonly as: number
  readonly password?: string
}

/** What a node is told of its routes. */
export type NodeRouting =
  | { readonly mode: 'static' }
  /** Blocks that a provider's route table leads to. */
  | { readonly mode: 'cloud'; readonly inForce: readonly string[] }
  | {
      readonly mode: 'bgp'
      readonly as: number
      /** Its own, which is its router id as well. */
      readonly address: string
      /** It passes on what it has learned. */
      readonly reflects: boolean
      readonly sessions: readonly BgpSession[]
    }

export interface BgpPlanInput {
  readonly mode: RoutesMode
  readonly settings: BgpSettings
  readonly peers: readonly BgpPeer[]
  readonly nodes: readonly BgpNode[]
  /** By provider's table of the node; asked in mode `cloud` only. */
  readonly inForceFor?: (node: BgpNode) => readonly string[]
}

export const siteLabel = 'site'
export const reflectorLabel = 'route-reflector'

interface Speaker extends BgpNode {
  readonly site: string
  readonly as: number
  readonly reflects: boolean
}

/**
 * Who speaks BGP with whom: of settings and nodes alone, so that every server says the same. Sessions are symmetric: what one end is told
 * of the other, the other is told of it.
 */
export class BgpPlan {
  /** Everybody speaks with everybody. */
  readonly isMesh: boolean
  /** Nodes without an IPv4 address; nothing is routed to them. */
  readonly without: readonly string[]
  readonly #input: BgpPlanInput
  readonly #speakers: ReadonlyMap<string, Speaker>
  readonly #reflectors: readonly Speaker[]

  constructor(input: BgpPlanInput) {
    const usable = input.nodes.filter(({ address }) => tryParseAddress(address) !== undefined)
    const speakers = speakersOf(usable, input.settings)
    this.#input = input
    this.#speakers = new Map(speakers.map((each) => [each.name, each]))
    this.#reflectors = speakers.filter(({ reflects }) => reflects)
    this.isMesh = speakers.length <= input.settings.meshUpTo
    this.without = input.nodes.flatMap(({ name }) => (this.#speakers.has(name) ? [] : [name]))
  }

  /** Names of each site's reflectors; the site of nodes without the label is ''. */
  get reflectors(): Readonly<Record<string, readonly string[]>> {
    const bySite = groupedBy(this.#reflectors, ({ site }) => site)
    return Object.fromEntries([...bySite].map(([site, speakers]) => [site, speakers.map(({ name }) => name)]))
  }

  /** A node that cannot speak is told nothing but to stay as it is. */
  of(node: string): NodeRouting | undefined {
    if (this.#input.mode === 'static') return { mode: 'static' }
    const self = this.#speakers.get(node)
    if (self === undefined) return undefined
    if (this.#input.mode === 'cloud') return { mode: 'cloud', inForce: this.#input.inForceFor?.(self) ?? [] }
    const { as, address, reflects } = self
    return { mode: 'bgp', as, address, reflects, sessions: [...this.#withNodes(self), ...this.#withPeers(self)] }
  }

  #withNodes(self: Speaker): BgpSession[] {
    // A node that passes on nothing speaks with few; looking at the others would cost every node a look at every node.
    const candidates = this.isMesh || self.reflects ? this.#speakers.values() : this.#reflectors
    return [...candidates]
      .filter((other) => other.name !== self.name && (this.isMesh || areTied(self, other)))
      .map(({ name, address, as }) => ({ with: 'node', name, address, as }))
  }

  #withPeers(self: Speaker): BgpSession[] {
    return this.#input.peers
      .filter(({ label }) => label === undefined || self.labels[label.name] === label.value)
      .map(({ name, address, as, password }) => ({
        ...{ with: 'peer', name, address, as },
        ...(password === undefined ? {} : { password }),
      }))
  }
}

/** Where there are too many for a mesh. */
const areTied = (a: Speaker, b: Speaker): boolean =>
  a.reflects && b.reflects ? true : (a.reflects || b.reflects) && a.site === b.site

/** In the order in which they joined, so that who comes last displaces nobody. */
function speakersOf(nodes: readonly BgpNode[], { as, sites, reflectors }: BgpSettings): Speaker[] {
  const siteOf = (node: BgpNode): string => node.labels[siteLabel] ?? ''
  const ordered = nodes.toSorted((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1))
  const chosen = new Set([...groupedBy(ordered, siteOf).values()].flatMap((site) => chooseReflectors(site, reflectors)))
  return ordered.map((node) => ({
    ...node,
    ...{ site: siteOf(node), as: sites[siteOf(node)] ?? as, reflects: chosen.has(node.name) },
  }))
}

/** Those that are labelled so; else the first ones that are not labelled otherwise, or the first ones at all: somebody has to. */
function chooseReflectors(site: readonly BgpNode[], count: number): string[] {
  const labelled = site.filter(({ labels }) => labels[reflectorLabel] === 'true')
  if (labelled.length > 0) return labelled.map(({ name }) => name)
  const willing = site.filter(({ labels }) => labels[reflectorLabel] !== 'false')
  return (willing.length > 0 ? willing : site).slice(0, count).map(({ name }) => name)
}

function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
