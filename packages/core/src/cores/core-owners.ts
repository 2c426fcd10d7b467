import { formatCoreList, parseCores } from '../schedule/core-text.ts'

/** An instance that owns cores, as its grant says (`2-3,7:300`). */
export interface CoreOwner {
  readonly instance: string
  readonly cores: string
}

/** A part of a shared core. */
export interface Fragment {
  readonly instance: string
  readonly milli: number
}

/** Who has which core of one node. A core in neither is free. */
export interface CoreOwners {
  /** Core → its owner. */
  readonly whole: ReadonlyMap<number, string>
  /** Core → its fragments, in the order of the instances' names. */
  readonly shared: ReadonlyMap<number, readonly Fragment[]>
}

/**
 * Reads who owns what from all grants of a node. What cannot be read is left out: its instance is refused when it is created. A core that is
 * given out twice (only a mistake of the server can do that) is its last owner's, and nothing else changes.
 */
export function coreOwners(owners: readonly CoreOwner[]): CoreOwners {
  const whole = new Map<number, string>()
  const shared = new Map<number, Fragment[]>()
  for (const { instance, cores } of [...owners].sort((a, b) => (a.instance < b.instance ? -1 : 1))) {
    const read = parseCores(cores)
    if (!read.ok) continue
    for (const core of read.value.whole) whole.set(core, instance)
    if (read.value.fragmentMilli === 0) continue
    const fragments = shared.get(read.value.fragmentCore) ?? []
    fragments.push({ instance, milli: read.value.fragmentMilli })
    shared.set(read.value.fragmentCore, fragments)
  }
  return { whole, shared }
}

/** True where instances own cores; elsewhere nothing is tied to any. */
export const isBound = ({ whole, shared }: CoreOwners): boolean => whole.size + shared.size > 0

/**
 * Where instances without cores of their own run: on cores that nobody owns, else on those that nobody owns whole, else on all (a scheduler
 * keeps a core back for them, so that is an emergency). Empty: no core is anybody's, so there is nothing to keep clear of.
 */
export function unboundCpuset(online: readonly number[], owners: CoreOwners): string {
  if (!isBound(owners)) return ''
  const free = online.filter((core) => !owners.whole.has(core) && !owners.shared.has(core))
  if (free.length > 0) return formatCoreList(free)
  const notWhole = online.filter((core) => !owners.whole.has(core))
  return formatCoreList(notWhole.length > 0 ? notWhole : online)
}

/**
 * What fragments of a core are guaranteed, in thousandths of it: what they are, less where they are more than the core together (the group
 * oversells) by the same factor for all.
 */
export function guaranteedMilli(milli: number, fragments: readonly Fragment[]): number {
  const sum = fragments.reduce((total, fragment) => total + fragment.milli, 0)
  return sum <= 1000 ? milli : Math.floor((milli * 1000) / sum)
}
