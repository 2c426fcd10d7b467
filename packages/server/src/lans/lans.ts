import {
  BerthError,
  checkLan,
  collisionWith,
  defaultSlicePrefix,
  type LanFacts,
  type LanLabel,
  type LanMode,
  lanModes,
  lanOf,
  linkOf,
  namesInstead,
  settleSlices,
  type TakenRange,
} from '@berth/core'
import { blocksFence } from '../addresses/pools-of.ts'
import type { CallContext } from '../controllers/operations.ts'
import { requireGroup } from '../groups/groups.ts'
import type { LanRecord, Records, RecordTransaction, State } from '../records/index.ts'
import { instancesIn, seekersOf } from './lan-nodes.ts'

export interface NewLan {
  readonly name: string
  readonly mode: string
  readonly parent: string
  readonly vlan?: number | undefined
  readonly subnet: string
  readonly gateway?: string | undefined
  /** The whole subnet unless said otherwise. */
  readonly range?: string | undefined
  /** A prefix length; a sixteenth of the range unless said otherwise. */
  readonly sliceSize?: number | undefined
  readonly label?: LanLabel | undefined
  readonly groups?: readonly string[] | undefined
}

export interface LansOptions {
  readonly records: Records
  /** Of all address pools. */
  readonly pools: () => readonly TakenRange[]
  readonly now?: () => number
}

const maxLans = 64

/** Networks of the machines' own, as people make and remove them. Nodes are told with their network. */
export class Lans {
  readonly #records: Records
  readonly #state: State
  readonly #pools: LansOptions['pools']
  readonly #now: () => number

  constructor({ records, pools, now = Date.now }: LansOptions) {
    this.#records = records
    this.#state = records.state
    this.#pools = pools
    this.#now = now
  }

  /** Throws `lan.not-found`. */
  require(name: string): LanRecord {
    const found = this.#state.lans.get(name)
    if (found !== undefined) return found
    const names = [...this.#state.lans.ids()].sort()
    const hint = namesInstead(name, names, maxLans)
    throw new BerthError('lan.not-found', `there is no network ${name}; ${hint}`, { details: { network: name } })
  }

  /**
   * Nodes that it is for get slices of it in the same commit; those that come later, later. Throws `lan.invalid`, `lan.exists`,
   * `lan.too-many`, `lan.overlap`, `lan.collides`, `group.not-found`, `name.invalid`, `network.invalid-block`, `network.invalid-address`.
   */
  async create(wanted: NewLan, context: CallContext): Promise<LanRecord> {
    const facts = checkLan(factsFrom(wanted))
    const decide = (tx: RecordTransaction): LanRecord => {
      this.#checkNew(facts)
      const fresh = { ...facts, slices: {}, createdAt: this.#now(), createdBy: context.actor }
      const record: LanRecord = { ...fresh, ...settleSlices(fresh, seekersOf(this.#state, fresh)) }
      // So that no address pool that it overlaps is made in the same moment.
      tx.put('fences', { node: blocksFence, updatedAt: this.#now() }, { ifUnchanged: true })
      tx.put('lans', record, { ifUnchanged: true })
      tx.event({ type: 'network.created', subject: {}, message: `network ${sentenceOf(record)}` })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Nodes take their Docker networks away. Throws `lan.not-found`, `lan.in-use`. */
  async remove(name: string, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      this.require(name)
      const users = this.#usersOf(name)
      if (users.length > 0) throw inUse(name, users)
      tx.delete('lans', name, { ifUnchanged: true })
      tx.event({ type: 'network.removed', subject: {}, message: `network ${name} was removed` })
    }
    await this.#records.commit(context.actor, decide, context)
  }

  /** Instances that are in it, and entrypoints whose next ones would be. */
  #usersOf(name: string): string[] {
    const { pools, releases } = this.#state
    const entrypoints = pools.all().flatMap((pool) => {
      const spec = pool.release === undefined ? undefined : releases.find(pool.app, pool.release)?.spec
      return Object.entries(spec?.entrypoints ?? {}).flatMap(([entrypoint, { network, networks }]) =>
        lanOf(network) === name || networks?.includes(name) === true ? [`${pool.app}/${pool.name}/${entrypoint}`] : [],
      )
    })
    return [...instancesIn(this.#state, name).map(({ id }) => id), ...entrypoints].sort()
  }

  #checkNew(lan: LanFacts): void {
    const { name, subnet, range, groups } = lan
    const others = this.#state.lans.all()
    if (others.some((each) => each.name === name))
      throw new BerthError(
        'lan.exists',
        `there is a network ${name} already, and what it is never changes; remove it (berth net rm ${name}), or choose another name`,
      )
    if (others.length >= maxLans)
      throw new BerthError('lan.too-many', `there are ${maxLans} networks already; remove one first`)
    const same = others.filter((each) => each.subnet === subnet)
    const overlap =
      collisionWith(subnet, others.filter((each) => each.subnet !== subnet).map(subnetOf)) ??
      collisionWith(range, same.map(rangeOf)) ??
      collisionWith(subnet, this.#pools())
    if (overlap !== undefined)
      throw new BerthError(
        'lan.overlap',
        `network ${name}: ${subnet} shares addresses with ${overlap.what} (${overlap.range}); ${same.length > 0 ? 'choose ranges that do not meet (--range)' : 'choose another subnet'}`,
        { details: { with: overlap.what } },
      )
    const taken = collisionWith(range, this.#taken())
    if (taken !== undefined)
      throw new BerthError(
        'lan.collides',
        `network ${name}: containers would get addresses of ${range}, and ${taken.what} has ${taken.range}; choose a part of the subnet that nobody has (--range)`,
        { details: { what: taken.what } },
      )
    for (const group of groups) requireGroup(this.#state, group)
  }

  /** What the store knows of that has addresses on such networks. */
  #taken(): TakenRange[] {
    const { nodes, externals, routings } = this.#state
    return [
      ...[...nodes.values()].flatMap(({ name, address }) =>
        address.includes(':') ? [] : [{ what: `node ${name}`, range: address }],
      ),
      ...externals
        .all()
        .flatMap(({ name, addresses }) =>
          addresses
            .filter((each) => !each.includes(':'))
            .map((range) => ({ what: `the external service ${name}`, range })),
        ),
      ...[...routings.values()].flatMap(({ peers }) =>
        peers.map(({ name, address }) => ({ what: `the router ${name}`, range: address })),
      ),
    ]
  }
}

const subnetOf = ({ name, subnet }: LanRecord): TakenRange => ({ what: `the network ${name}`, range: subnet })
const rangeOf = ({ name, range }: LanRecord): TakenRange => ({ what: `the network ${name}`, range })

function factsFrom(wanted: NewLan): LanFacts {
  const { name, parent, vlan, subnet, gateway, label, groups = [] } = wanted
  const range = wanted.range ?? subnet
  return {
    ...{ name, mode: modeOf(name, wanted.mode), parent, subnet, range },
    slicePrefix: wanted.sliceSize ?? defaultSlicePrefix(range),
    groups: [...new Set(groups)].sort(),
    ...(vlan === undefined ? {} : { vlan }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(label === undefined ? {} : { label }),
  }
}

function modeOf(name: string, text: string): LanMode {
  const found = lanModes.find((each) => each === text)
  if (found !== undefined) return found
  throw new BerthError(
    'lan.invalid',
    `network ${name}: there is no mode ${JSON.stringify(text.slice(0, 40))}; there are ${lanModes.join(', ')}`,
  )
}

function sentenceOf(lan: LanRecord): string {
  const { name, mode, subnet, range, slicePrefix, slices } = lan
  const count = Object.keys(slices).length
  const what = `${mode} of ${subnet} on ${linkOf(lan)}, slices of /${slicePrefix} of ${range}`
  return `${name}: ${what}, for ${count} ${count === 1 ? 'node' : 'nodes'} so far`
}

function inUse(name: string, users: readonly string[]): BerthError {
  const more = users.length > 5 ? ` and ${users.length - 5} more` : ''
  return new BerthError(
    'lan.in-use',
    `remove the network ${name}: ${users.slice(0, 5).join(', ')}${more} ${users.length === 1 ? 'uses' : 'use'} it; take it out of \`network\` or \`networks\` in berth.yaml and deploy, and detach others first (berth net detach)`,
    { details: { network: name, users: users.slice(0, 100) } },
  )
}
