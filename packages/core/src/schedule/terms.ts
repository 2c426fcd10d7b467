import { contradiction } from './contradiction.ts'
import { Eligibility, eligibilityKey } from './eligibility.ts'
import { type Entrypoint, type EntrypointTable, formatPeerName } from './entrypoint-table.ts'
import type { InstanceRequest, Peer, Strategy } from './instance-request.ts'
import { meets, parseRequirement, type Requirement } from './requirement.ts'
import { termsKey } from './terms-key.ts'

/** All that a request asks but its CPU and memory: read once, shared by all instances that ask the same. */
export interface Terms {
  readonly id: number
  readonly key: string
  readonly request: InstanceRequest
  readonly entrypoint: Entrypoint
  readonly eligibility: Eligibility
  readonly strategy: Strategy
  readonly apart: readonly Peer[]
  readonly near: readonly Peer[]
  readonly prefer: readonly { readonly where: Requirement; readonly weight: number }[]
  readonly resources: readonly (readonly [string, number])[]
  readonly hostPorts: readonly number[]
  readonly diskBytes: number
  readonly priority: number
  /** Has wishes, so that nodes are weighed one by one. */
  readonly hasWishes: boolean
  /** Why no node can ever meet it. */
  readonly problem: string | undefined
  /** Instances that have them. */
  instances: number
}

/** One in its node's network, or in one of Docker's, has none of the node's block; nor does one take any that has its own. */
export const takesAddress = ({ request }: Terms): boolean =>
  request.network === undefined && request.hasAddress !== true

/** Unused terms are kept for a while: the next instance of an entrypoint mostly asks the same. */
const spareTerms = 4096

export class TermsTable {
  readonly byId: (Terms | undefined)[] = []
  readonly #byKey = new Map<string, Terms>()
  readonly #eligibilities = new Map<string, { readonly eligibility: Eligibility; terms: number }>()
  /** Terms with a rule to be apart from a peer, by the peer: the rule holds both ways. */
  readonly #apartFrom = new Map<string, Set<Terms>>()
  #spareIds: number[] = []
  #sweepAt = spareTerms
  readonly #entrypoints: EntrypointTable

  constructor(entrypoints: EntrypointTable) {
    this.#entrypoints = entrypoints
  }

  of(request: InstanceRequest): Terms {
    const key = termsKey(request)
    return this.#byKey.get(key) ?? this.#make(key, request)
  }

  *eligibilities(): Iterable<Eligibility> {
    for (const { eligibility } of this.#eligibilities.values()) yield eligibility
  }

  /** Visits the terms with instances that must be apart from this entrypoint's, on the same node or over a label. */
  visitEnemies(entrypoint: Entrypoint, visit: (enemy: Terms, peer: Peer) => void): void {
    if (this.#apartFrom.size === 0) return
    for (const key of entrypoint.peerKeys) {
      const set = this.#apartFrom.get(key)
      if (set === undefined) continue
      for (const terms of set) {
        if (terms.instances === 0) continue
        for (const peer of terms.apart) if (peer.weight === undefined && peerKey(peer) === key) visit(terms, peer)
      }
    }
  }

  clone(entrypoints: EntrypointTable): TermsTable {
    const copy = new TermsTable(entrypoints)
    for (const terms of this.byId) {
      if (terms === undefined) copy.byId.push(undefined)
      else copy.#make(terms.key, terms.request, terms.id).instances = terms.instances
    }
    copy.#spareIds = [...this.#spareIds]
    copy.#sweepAt = this.#sweepAt
    return copy
  }

  #make(key: string, request: InstanceRequest, id?: number): Terms {
    if (id === undefined && this.#byKey.size >= this.#sweepAt) this.#sweep()
    const entrypoint = this.#entrypoints.get(request.entrypoint)
    const read = readTerms(request)
    const eligibility = this.#eligibility(request, read.where)
    const terms: Terms = {
      ...read,
      id: id ?? this.#spareIds.pop() ?? this.byId.length,
      key,
      request,
      entrypoint,
      eligibility,
      instances: 0,
    }
    if (id === undefined) entrypoint.terms++
    this.byId[terms.id] = terms
    this.#byKey.set(key, terms)
    for (const peer of terms.apart) {
      if (peer.weight !== undefined) continue
      const set = this.#apartFrom.get(peerKey(peer))
      if (set === undefined) this.#apartFrom.set(peerKey(peer), new Set([terms]))
      else set.add(terms)
    }
    return terms
  }

  #eligibility(request: InstanceRequest, where: readonly Requirement[]): Eligibility {
    const key = eligibilityKey(request)
    const known = this.#eligibilities.get(key)
    if (known !== undefined) {
      known.terms++
      return known.eligibility
    }
    const { group, tolerate = [], volumes = [], networks = [], evenCordoned = false } = request
    const eligibility = new Eligibility({ group, tolerate, where, volumes, networks, evenCordoned })
    this.#eligibilities.set(key, { eligibility, terms: 1 })
    return eligibility
  }

  #sweep(): void {
    for (const terms of this.#byKey.values()) if (terms.instances === 0) this.#forget(terms)
    this.#sweepAt = this.#byKey.size * 2 + spareTerms
  }

  #forget(terms: Terms): void {
    this.#byKey.delete(terms.key)
    this.byId[terms.id] = undefined
    this.#spareIds.push(terms.id)
    for (const peer of terms.apart) this.#apartFrom.get(peerKey(peer))?.delete(terms)
    const eligibility = this.#eligibilities.get(eligibilityKey(terms.request))
    if (eligibility !== undefined && --eligibility.terms === 0)
      this.#eligibilities.delete(eligibilityKey(terms.request))
    if (--terms.entrypoint.terms === 0 && terms.entrypoint.total === 0) this.#entrypoints.drop(terms.entrypoint)
  }
}

const peerKey = (peer: Peer): string => `${peer.app}/${peer.entrypoint ?? ''}`

type ReadTerms = Omit<Terms, 'id' | 'key' | 'request' | 'entrypoint' | 'eligibility' | 'instances'> & {
  readonly where: readonly Requirement[]
}

function readTerms(request: InstanceRequest): ReadTerms {
  const { apart = [], near = [] } = request
  const problems: string[] = []
  const read = (text: string): Requirement[] => {
    const requirement = parseRequirement(text)
    if (requirement.ok) return [requirement.value]
    problems.push(requirement.message)
    return []
  }
  const where = (request.where ?? []).flatMap(read)
  const prefer = (request.prefer ?? []).flatMap((each) =>
    read(each.where).map((it) => ({ where: it, weight: each.weight })),
  )
  problems.push(...termsProblems(request, where))
  return {
    where,
    prefer,
    apart,
    near,
    strategy: request.strategy ?? { type: 'spread' },
    resources: Object.entries(request.resources ?? {}),
    hostPorts: request.hostPorts ?? [],
    diskBytes: request.diskBytes ?? 0,
    priority: request.priority ?? 0,
    hasWishes: prefer.length > 0 || [...apart, ...near].some((peer) => peer.weight !== undefined),
    problem: problems[0],
  }
}

function termsProblems(request: InstanceRequest, where: readonly Requirement[]): string[] {
  const problems: string[] = []
  const clash = contradiction(where) ?? spreadClash(request, where)
  if (clash !== undefined) problems.push(clash)
  for (const peer of request.near ?? []) {
    const same = (request.apart ?? []).find((each) => samePlace(each, peer))
    if (same !== undefined)
      problems.push(`near ${formatPeerName(peer)} and apart from ${formatPeerName(same)} can never both hold`)
  }
  for (const [name, amount] of Object.entries(request.resources ?? {}))
    if (!Number.isSafeInteger(amount) || amount < 0) problems.push(`${amount} of ${name}: a count from 0 on is needed`)
  return problems
}

/** Shares for values that a requirement excludes, all of them. */
function spreadClash({ spread }: InstanceRequest, where: readonly Requirement[]): string | undefined {
  if (spread?.shares === undefined) return undefined
  const values = Object.entries(spread.shares).flatMap(([value, share]) => (share > 0 ? [value] : []))
  const clash = where.find(
    ({ label }) => label === spread.over && !values.some((value) => meetsAll(where, label, value)),
  )
  if (clash === undefined) return undefined
  return `\`${clash.text}\` and a spread over ${spread.over} in (${values.join(', ')}) can never both hold`
}

const meetsAll = (where: readonly Requirement[], label: string, value: string): boolean =>
  where.every((requirement) => requirement.label !== label || meets(requirement, value))

/** Both are rules about the same instances and the same place. */
const samePlace = (a: Peer, b: Peer): boolean =>
  a.weight === undefined && b.weight === undefined && peerKey(a) === peerKey(b) && a.over === b.over
