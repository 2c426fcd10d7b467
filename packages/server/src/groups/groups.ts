import {
  BerthError,
  changedImageLimits,
  checkName,
  defaultGroup,
  defaultGroupName,
  type GroupQuota,
  type ImageLimitsChange,
  imageLimitsText,
  type NodeGroup,
  nodeGroupOf,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import { groupOfInstance, groupOfNode, isHeld } from './group-use.ts'

/** null takes a rule back; absent leaves it. */
export type GroupChange = {
  readonly [K in 'cpu' | 'shareBase' | 'oversellMilli']?: NodeGroup[K] | undefined
} & {
  readonly [K in 'maxSharedCores' | 'allowedOwners' | 'memoryApproval' | 'rebalanceOnJoin']?:
    | NodeGroup[K]
    | null
    | undefined
} & {
  readonly images?: ImageLimitsChange | undefined
  readonly quota?: { readonly [K in keyof GroupQuota]?: GroupQuota[K] | undefined } | null | undefined
}

const maxOwners = 200

/** Throws `group.not-found`. */
export function requireGroup(state: State, name: string): NodeGroup {
  const group = state.groups.find(name)
  if (group !== undefined) return group
  const names = state.groups.each().map((each) => each.name)
  throw new BerthError('group.not-found', `there is no node group ${name}; there are: ${names.join(', ')}`, {
    details: { group: name },
  })
}

/** The rules by which nodes are given out. */
export class Groups {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  require(name: string): NodeGroup {
    return requireGroup(this.#state, name)
  }

  async create(name: string, rules: GroupChange, context: CallContext): Promise<NodeGroup> {
    const decide = (tx: RecordTransaction): NodeGroup => {
      checkName('node group', name)
      if (this.#state.groups.find(name) !== undefined)
        throw new BerthError(
          'group.exists',
          `there is a node group ${name} already; change it with: berth group set ${name}`,
        )
      const base = { ...defaultGroup, name, createdAt: this.#now(), createdBy: context.actor }
      const group = changed(base, rules)
      tx.create('groups', group)
      tx.event({ type: 'group.created', subject: {}, message: `node group ${name}: ${rulesOf(group)}` })
      return group
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  async update(name: string, change: GroupChange, context: CallContext): Promise<NodeGroup> {
    const decide = (tx: RecordTransaction): NodeGroup => {
      const before = this.require(name)
      const group = changed(before, change)
      if (JSON.stringify(group) === JSON.stringify(before)) return before
      this.#refuseNewDivision(before, group)
      tx.put('groups', group, { ifUnchanged: true })
      tx.event({ type: 'group.updated', subject: {}, message: `node group ${name}: ${rulesOf(group)}` })
      return group
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  async remove(name: string, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      this.require(name)
      if (name === defaultGroupName)
        throw new BerthError(
          'group.default',
          `remove node group ${name}: it always exists; change its rules with: berth group set ${name}`,
        )
      const users = this.#usersOf(name)
      if (users !== undefined)
        throw new BerthError('group.in-use', `remove node group ${name}: ${users}`, { details: { group: name } })
      tx.delete('groups', name, { ifUnchanged: true })
      tx.event({ type: 'group.removed', subject: {}, message: `node group ${name} was removed` })
    }
    await this.#records.commit(context.actor, decide, context)
  }

  /** Cores that instances own were cut by the rules of their time: those rules stay as long as somebody has such a core. */
  #refuseNewDivision(before: NodeGroup, after: NodeGroup): void {
    if (before.cpu === after.cpu && before.shareBase === after.shareBase) return
    const held = [...this.#state.instances.values()].filter(
      (each) =>
        each.cores !== undefined && isHeld(this.#state, each) && groupOfInstance(this.#state, each) === before.name,
    )
    if (held.length === 0) return
    throw new BerthError(
      'group.in-use',
      `change how node group ${before.name} divides cores: ${held.length} instances own some, such as ${held[0]?.id}; move their pools elsewhere first (berth pool move APP GROUP)`,
      { details: { group: before.name, instances: held.length } },
    )
  }

  #usersOf(name: string): string | undefined {
    const { nodes, pools, releases } = this.#state
    const nodeNames = [...nodes.values()].filter((node) => groupOfNode(node) === name).map((node) => node.name)
    if (nodeNames.length > 0) return `${list(nodeNames)} in it; put them elsewhere with: berth node group NODE GROUP`
    const poolNames = [...pools.values()]
      .filter((pool) => {
        const spec = pool.release === undefined ? undefined : releases.find(pool.app, pool.release)?.spec
        const entrypoints = Object.values(spec?.entrypoints ?? {})
        return pool.group === name || entrypoints.some((each) => nodeGroupOf(each, pool) === name)
      })
      .map((pool) => `${pool.app}/${pool.name}`)
    return poolNames.length === 0
      ? undefined
      : `${list(poolNames)} placed in it; move them with: berth pool move APP GROUP`
  }
}

const list = (names: readonly string[]): string =>
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''} ${names.length === 1 ? 'is' : 'are'}`

function changed(before: NodeGroup, change: GroupChange): NodeGroup {
  const quota = change.quota === null || change.quota === undefined ? {} : { quota: withoutAbsent(change.quota) }
  const images = change.images === undefined ? {} : { images: changedImageLimits(before.images, change.images) ?? null }
  const merged = { ...before, ...withoutAbsent(change), ...quota, ...images }
  const group = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as unknown as NodeGroup
  for (const owners of [group.allowedOwners, group.memoryApproval?.approvers]) checkOwners(owners ?? [])
  if (group.cpu === 'shared' && (change.maxSharedCores ?? null) !== null)
    throw new BerthError(
      'group.invalid',
      `node group ${group.name}: maxSharedCores has no meaning where cores are not bound`,
    )
  return group
}

const withoutAbsent = (part: object): object =>
  Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined))

function checkOwners(owners: readonly string[]): void {
  const wrong = owners.find((owner) => owner.trim() === '' || owner.length > 200)
  if (wrong !== undefined || owners.length > maxOwners)
    throw new BerthError('group.invalid', `owners are named as in \`berth token ls\`, at most ${maxOwners} of them`)
}

/** For people. */
function rulesOf({
  cpu,
  shareBase,
  maxSharedCores,
  oversellMilli,
  quota,
  allowedOwners,
  memoryApproval,
  rebalanceOnJoin,
  images,
}: NodeGroup): string {
  return [
    cpu === 'bound' ? `bound cores in ${shareBase} pieces` : 'shared cores',
    ...(maxSharedCores === undefined ? [] : [`at most ${maxSharedCores} shared a node`]),
    ...(oversellMilli === 1000 ? [] : [`oversold ${oversellMilli / 1000} times`]),
    ...(quota?.cpuMilli === undefined ? [] : [`${quota.cpuMilli / 1000} cores`]),
    ...(quota?.memoryBytes === undefined ? [] : [`${Math.floor(quota.memoryBytes / 1024 ** 2)} MiB memory`]),
    ...(allowedOwners === undefined ? [] : [`for ${allowedOwners.join(', ') || 'admins only'}`]),
    ...(memoryApproval === undefined
      ? []
      : [`above ${Math.floor(memoryApproval.aboveBytes / 1024 ** 2)} MiB with approval`]),
    ...(rebalanceOnJoin === undefined ? [] : [`rebalanced when a node joins, ${rebalanceOnJoin.disruption} at a time`]),
    ...(images === undefined ? [] : [`images: ${imageLimitsText(images)}`]),
  ].join(', ')
}
