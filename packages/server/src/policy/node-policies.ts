import {
  defaultProfileName,
  type ExternalService,
  familyOf,
  type Instance,
  type MemberChanges,
  mentionedTags,
  type Node,
  type NodeStatus,
  nodeAddresses,
  type PolicyDocument,
  parseBlock,
  tryParseAddress,
} from '@berth/core'
import { twinPoolsOf } from '../addresses/twin-pools.ts'
import type { State, StateChange } from '../records/index.ts'
import { byHandEnds, profileOf, profilesOfInstance } from './profile-of.ts'
import { TagMembers } from './tag-members.ts'

interface Endpoint {
  readonly node: string
  readonly address: string
  readonly profiles: readonly string[]
  readonly tags: readonly string[]
}

export interface PolicyChanges {
  /** Nodes whose policy as a whole is another. */
  readonly nodes: ReadonlySet<string> | 'all'
  readonly members: MemberChanges
}

/**
 * What each node has to know of the security policy. Instances without profiles cost nothing here. What changes of members is told tag by
 * tag; a profile that has changed, or is new to a node, with all that it mentions.
 */
export class NodePolicies {
  readonly #state: State
  readonly #endpoints = new Map<string, Endpoint>()
  /** How many instances of a node have a profile, by its name. */
  readonly #inUse = new Map<string, Map<string, number>>()
  readonly #members = new TagMembers()
  /** Addresses that are counted for containers that somebody starts by hand, by node. */
  readonly #byHand = new Map<string, readonly string[]>()
  #stale: Set<string> | 'all' = new Set()

  constructor(state: State) {
    this.#state = state
    for (const instance of state.instances.values()) this.#set(instance.id, instance)
    for (const node of state.nodes.values()) this.#setByHand(node.name, node)
    for (const external of state.externals.values()) this.#countExternal(external, 1)
    this.take()
  }

  /** True when something may have to be told. */
  note(change: StateChange): boolean {
    if (change.kind === 'instances') return this.#set(change.id, change.after)
    if (change.kind === 'profiles') return this.#noteProfile(change.id)
    if (change.kind === 'externals') return this.#noteExternal(change.before, change.after)
    if (change.kind === 'addressPools') return this.#noteAddressPools(change.before?.ipv6, change.after?.ipv6)
    if (change.kind === 'nodeStatuses')
      return (
        byHandText(change.before) !== byHandText(change.after) &&
        this.#setByHand(change.id, this.#state.nodes.get(change.id))
      )
    if (change.kind !== 'nodes') return false
    const isChanged = this.#setByHand(change.id, change.after)
    if (gatewayText(change.before) === gatewayText(change.after)) return isChanged
    this.#stale = 'all'
    return this.#endpoints.size > 0
  }

  /** Since the call before. */
  take(): PolicyChanges {
    const changes = { nodes: this.#stale, members: this.#members.takeChanges() }
    this.#stale = new Set()
    return changes
  }

  documentFor(node: string): PolicyDocument {
    const profiles = this.#profilesOf(node)
    const tags = new Set(profiles.flatMap((profile) => [...mentionedTags(profile)]))
    return {
      profiles: profiles
        .map(({ name }) => this.#state.profiles.get(name)?.document)
        .filter((each) => each !== undefined),
      members: Object.fromEntries([...tags].sort().map((tag) => [tag, this.#members.of(tag)])),
      gateways: profiles.length === 0 ? [] : gatewaysOf(this.#state),
      ...(profiles.length === 0 ? {} : this.#ipv6Of(tags)),
    }
  }

  #ipv6Of(tags: ReadonlySet<string>): Pick<PolicyDocument, 'ipv6'> {
    const pools = twinPoolsOf(this.#state)
    if (pools.length === 0) return {}
    const members: Record<string, string[]> = {}
    for (const external of this.#state.externals.values())
      for (const tag of external.tags)
        if (tags.has(tag)) members[tag] = [...(members[tag] ?? []), ...addresses6Of(external)]
    return { ipv6: { pools, members: Object.fromEntries(Object.entries(members).sort()) } }
  }

  /** Of changed members those that a node has been told of; undefined: none. */
  membersFor(node: string, changes: MemberChanges): MemberChanges | undefined {
    const tags = new Set(this.#profilesOf(node).flatMap((profile) => [...mentionedTags(profile)]))
    const own = Object.entries(changes).filter(([tag]) => tags.has(tag))
    return own.length === 0 ? undefined : Object.fromEntries(own)
  }

  /** The default one as well: what comes next may have no other. */
  #profilesOf(node: string) {
    const names = new Set([defaultProfileName, ...(this.#inUse.get(node)?.keys() ?? [])])
    return [...names].sort().flatMap((name) => profileOf(this.#state.profiles.get(name)) ?? [])
  }

  #set(id: string, instance: Instance | undefined): boolean {
    return this.#put(id, instance === undefined ? undefined : this.#endpointOf(instance))
  }

  /** Whoever has one of these addresses bears the tags of what it names; whoever will have one, those of the default. */
  #setByHand(name: string, node: Node | undefined): boolean {
    const ends = node === undefined ? [] : [...byHandEnds(this.#state, node, (each) => this.#state.profiles.has(each))]
    const wanted = new Map(ends.filter(([, { profiles }]) => profiles.length > 0))
    const before = this.#byHand.get(name) ?? []
    if (wanted.size > 0) this.#byHand.set(name, [...wanted.keys()])
    else this.#byHand.delete(name)
    const changes = [...new Set([...before, ...wanted.keys()])].map((address) => {
      const profiles = wanted.get(address)?.profiles
      const after = profiles && { node: name, address, profiles, tags: this.#tagsOf(profiles) }
      return this.#put(`${byHandPrefix}${address}`, after)
    })
    return changes.includes(true)
  }

  #put(id: string, after: Endpoint | undefined): boolean {
    const before = this.#endpoints.get(id)
    if (before === undefined && after === undefined) return false
    if (before !== undefined && after !== undefined && isSame(before, after)) return false
    if (before !== undefined) this.#count(before, -1)
    if (after !== undefined) this.#count(after, 1)
    if (after === undefined) this.#endpoints.delete(id)
    else this.#endpoints.set(id, after)
    return true
  }

  #endpointOf(instance: Instance): Endpoint | undefined {
    const { node, address } = instance
    if (node === undefined || address === undefined) return undefined
    const profiles = profilesOfInstance(this.#state, instance)
    if (profiles.length === 0) return undefined
    return { node, address, profiles, tags: this.#tagsOf(profiles) }
  }

  #tagsOf(profiles: readonly string[]): readonly string[] {
    return [...new Set(profiles.flatMap((name) => profileOf(this.#state.profiles.get(name))?.tags ?? []))]
  }

  #count({ node, address, profiles, tags }: Endpoint, by: 1 | -1): void {
    this.#members.count(address, tags, by)
    const counts = this.#inUse.get(node) ?? new Map<string, number>()
    for (const name of profiles) {
      const count = (counts.get(name) ?? 0) + by
      if (count === 1 && by === 1) this.#markStale(node)
      if (count > 0) counts.set(name, count)
      else counts.delete(name)
    }
    if (counts.size > 0) this.#inUse.set(node, counts)
    else this.#inUse.delete(node)
  }

  #noteProfile(name: string): true {
    if (name === defaultProfileName) {
      for (const instance of this.#state.instances.values()) this.#set(instance.id, instance)
      for (const node of this.#state.nodes.values()) this.#setByHand(node.name, node)
      this.#stale = 'all'
      return true
    }
    for (const [id, { node, profiles }] of [...this.#endpoints]) {
      if (!profiles.includes(name)) continue
      if (id.startsWith(byHandPrefix)) this.#setByHand(node, this.#state.nodes.get(node))
      else this.#set(id, this.#state.instances.get(id))
    }
    for (const [node, counts] of this.#inUse) if (counts.has(name)) this.#markStale(node)
    return true
  }

  #noteExternal(before: ExternalService | undefined, after: ExternalService | undefined): boolean {
    if (before !== undefined) this.#countExternal(before, -1)
    if (after !== undefined) this.#countExternal(after, 1)
    // Seldom, and told as a whole: members by tag are counted by addresses of IPv4.
    const isOf6 = [before, after].some((each) => each !== undefined && addresses6Of(each).length > 0)
    if (isOf6 && twinPoolsOf(this.#state).length > 0) this.#stale = 'all'
    return [before, after].some((each) => each !== undefined && each.tags.length > 0)
  }

  #noteAddressPools(before: string | undefined, after: string | undefined): boolean {
    if (before === after) return false
    this.#stale = 'all'
    return true
  }

  #countExternal({ addresses, tags }: ExternalService, by: 1 | -1): void {
    for (const address of addresses) if (familyOf(address) === 4) this.#members.count(address, tags, by)
  }

  #markStale(node: string): void {
    if (this.#stale !== 'all') this.#stale.add(node)
  }
}

/** No instance has such an id. */
const byHandPrefix = 'by hand '

const byHandText = (status: NodeStatus | undefined): string =>
  `${status?.network?.driver} ${(status?.byHand ?? []).map(({ address, profiles }) => `${address} ${profiles.join()}`).join(' ')}`

const addresses6Of = ({ addresses }: ExternalService): string[] =>
  addresses.filter((address) => familyOf(address) === 6)

const isSame = (a: Endpoint, b: Endpoint): boolean =>
  a.node === b.node && a.address === b.address && isSameList(a.profiles, b.profiles) && isSameList(a.tags, b.tags)

const isSameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each, index) => each === b[index])

const isGateway = ({ labels }: Node): boolean => labels.gateway === 'true'

const gatewayText = (node: Node | undefined): string =>
  node === undefined || !isGateway(node) ? '' : `${node.address} ${node.block}`

const gatewaysOf = (state: State): string[] =>
  [...state.nodes.values()]
    .filter(isGateway)
    .flatMap(({ address, block }) => nodeAddresses(address, parseBlock(block)))
    .filter((address) => tryParseAddress(address) !== undefined)
