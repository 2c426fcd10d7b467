import type { Instance, Pool, PoolSnapshot } from '@berth/core'
import { poolId, type Records, type RecordTransaction, type State } from '../records/index.ts'
import { givenAddress } from '../schedule/request-of.ts'
import type { InstancePlacer } from './place-instances.ts'

/** Instances of one entrypoint and generation that start together or not at all. */
export interface Gang {
  readonly entrypoint: string
  readonly waiting: readonly Instance[]
  /** Those that have a place already, of which their agents have not heard: a server died halfway. */
  readonly held: readonly Instance[]
}

export interface GangContext {
  readonly snapshot: PoolSnapshot
  readonly state: State
  readonly records: Records
  readonly placer: InstancePlacer
  readonly now: number
  /** Takes back what was entered for it when it fails. */
  readonly commit: (tx: RecordTransaction) => Promise<boolean>
  readonly restore: (ids: readonly string[]) => void
}

/**
 * Three writes and compares each, two for its node and for the one whose address it borrows, and the pool's: what fits in one transaction has no need of a
 * number.
 */
const mostAtOnce = 18
const inOneSlice = 18

/** Of the instances that are to run: which wait for each other. While some are still to be created, none of theirs is placed. */
export function gangsOf(snapshot: PoolSnapshot, up: readonly Instance[], creating: ReadonlySet<string>): Gang[] {
  const members = up.filter((each) => isGang(snapshot, each) && !creating.has(each.entrypoint))
  const groups = Map.groupBy(members, ({ entrypoint, generation }) => `${entrypoint} ${generation}`)
  return [...groups.values()].flatMap((each): Gang[] => {
    const entrypoint = each[0]?.entrypoint ?? ''
    const open = snapshot.pool.openGangs?.[entrypoint] ?? 0
    const waiting = each.filter(({ node }) => node === undefined)
    const held = each.filter(({ node, gang = 0 }) => node !== undefined && gang > open)
    return waiting.length + held.length === 0 ? [] : [{ entrypoint, waiting, held }]
  })
}

export const isGang = ({ specs }: PoolSnapshot, { release, entrypoint, type }: Instance): boolean =>
  type === 'service' && specs.get(release)?.entrypoints[entrypoint]?.gang === true

/**
 * Finds places for all, or for none. What one transaction does not hold is written in parts: their places are taken, their agents hear
 * nothing; the last commit, to the pool's record, lets all of them start. A part that fails leaves the gang held, and the next
 * decision goes on where it was, or gives the places back when the others find none.
 */
export async function placeGang(context: GangContext, gang: Gang): Promise<void> {
  const placed: Instance[] = []
  let refused: Instance | undefined
  for (const instance of gang.waiting) {
    const next = context.placer.place(instance)
    if (next.node === undefined) {
      refused = next
      break
    }
    placed.push(next)
  }
  const entered = context.placer.takeEntered()
  if (refused !== undefined) {
    context.restore(entered)
    await giveUp(context, gang, placed.length + gang.held.length, refused.unplaced ?? '')
  } else if (gang.held.length === 0 && placed.length <= mostAtOnce) await writePart(context, placed, entered)
  else await writeParts(context, gang, placed)
}

async function writeParts(context: GangContext, { entrypoint, held }: Gang, placed: readonly Instance[]) {
  const { pool } = context.snapshot
  const number = (pool.openGangs?.[entrypoint] ?? 0) + 1
  const numbered = placed.map((each): Instance => ({ ...each, gang: number }))
  for (let at = 0; at < numbered.length; at += inOneSlice) {
    const part = numbered.slice(at, at + inOneSlice)
    const done = isUntouched(context) && (await writePart(context, part, idsOf(part)))
    if (done) continue
    context.restore(idsOf(numbered.slice(at)))
    return
  }
  if (!isUntouched(context)) return
  const tx = begin(context)
  const openGangs = { ...pool.openGangs, [entrypoint]: number }
  tx.put('pools', { ...pool, openGangs }, { ifUnchanged: true })
  const all = numbered.length + held.length
  const subject = { app: pool.app, pool: pool.name }
  tx.event({
    type: 'gang.placed',
    subject,
    message: `${pool.app}/${pool.name}: all ${all} of ${entrypoint} have a place`,
  })
  await context.commit(tx)
}

/** With the fences of their nodes. */
async function writePart(
  context: GangContext,
  part: readonly Instance[],
  entered: readonly string[],
): Promise<boolean> {
  const tx = begin(context)
  tx.require('pools', poolId(context.snapshot.pool.app, context.snapshot.pool.name))
  const last = new Map(part.map((each) => [each.node ?? '', context.state.fences.get(each.node ?? '')?.lastAddress]))
  for (const each of part) {
    const { node = '', borrowedFrom } = each
    if (borrowedFrom !== undefined) tx.require('nodes', borrowedFrom)
    const giver = borrowedFrom ?? node
    last.set(giver, givenAddress(each) ?? last.get(giver) ?? context.state.fences.get(giver)?.lastAddress)
  }
  for (const [node, lastAddress] of last) {
    const given = lastAddress === undefined ? {} : { lastAddress }
    tx.put('fences', { node, ...given, updatedAt: context.now }, { ifUnchanged: true })
  }
  for (const each of part) {
    tx.put('instances', each, { ifUnchanged: true })
    const { app, pool, id, node } = each
    const subject = { app, pool, instance: id, ...(node === undefined ? {} : { node }) }
    tx.event({ type: 'instance.placed', subject, message: `${id} on ${node} at ${each.address}` })
  }
  let done = false
  try {
    done = await context.commit(tx)
  } finally {
    if (!done) context.restore(entered)
  }
  return done
}

/** Places go back, and the first says why; the others point at it, so that a figure in the reason is one write and not a thousand. */
async function giveUp(context: GangContext, { waiting, held }: Gang, found: number, why: string): Promise<void> {
  const all = waiting.length + held.length
  const [first] = [...waiting, ...held].sort((a, b) => a.ordinal - b.ordinal)
  const reason = `all ${all} or none: ${found} would find a place, then ${why}`
  const textOf = (each: Instance): string => (each.id === first?.id ? reason : `all or none: see ${first?.id}`)
  const changed = [...held.map(withoutPlace), ...waiting.filter((each) => each.unplaced !== textOf(each))].map(
    (each): Instance => ({ ...each, unplaced: textOf(each) }),
  )
  const step = inOneSlice * 2
  for (let at = 0; at < changed.length; at += step) {
    const tx = begin(context)
    tx.require('pools', poolId(context.snapshot.pool.app, context.snapshot.pool.name))
    for (const each of changed.slice(at, at + step)) tx.put('instances', each, { ifUnchanged: true })
    if (!(await context.commit(tx))) return
  }
}

function withoutPlace(instance: Instance): Instance {
  const {
    node,
    address,
    borrowedFrom,
    network,
    networks,
    cpuMilli,
    memoryBytes,
    reservedCpuMilli,
    reservedMemoryBytes,
    ...rest
  } = instance
  const { hostPorts, group, cores, resources, gang, ...asked } = rest
  return asked
}

function begin({ records, snapshot: { rollout } }: GangContext): RecordTransaction {
  const tx = records.begin('system:pools')
  if (rollout !== undefined) tx.require('rollouts', rollout.id)
  return tx
}

const idsOf = (instances: readonly Instance[]): string[] => instances.map(({ id }) => id)

/** Neither the pool nor its rollout has been changed since the decision. */
function isUntouched({ state, snapshot: { pool, rollout } }: GangContext): boolean {
  const isSame = (a: unknown, b: Pool | PoolSnapshot['rollout']): boolean => JSON.stringify(a) === JSON.stringify(b)
  return (
    isSame(state.pools.find(pool.app, pool.name), pool) && isSame(rollout && state.rollouts.get(rollout.id), rollout)
  )
}
