/**
 * What happened in a cluster, as those who took part wrote it down; {@link checkHistory} says whether that may have been.
 *
 * Revisions are the store's. A register is a value that one client alone writes, each time with a higher number than before: so of two
 * values it is always known which is the older one.
 */
export interface History {
  /** Every change of every register in the store's own account, by rising revision: what really happened. */
  readonly changes: readonly RegisterChange[]
  /** What clients did, each client's in its order. */
  readonly operations: readonly ClientOperation[]
  readonly watches: readonly WatchRecord[]
  /** Who was given what of the nodes, by rising revision. */
  readonly grants: readonly Grant[]
  readonly terms: readonly TermRecord[]
  readonly acts: readonly LeaderAct[]
}

export interface RegisterChange {
  readonly revision: number
  readonly register: string
  /** Absent: the register was removed. */
  readonly value?: number
}

export type ClientOperation = WriteOperation | ReadOperation

export interface WriteOperation {
  readonly type: 'write'
  readonly client: string
  readonly register: string
  readonly value: number
  /** `refused`: it was said that nothing was written. `unknown`: whatever else went wrong. */
  readonly outcome: 'acknowledged' | 'refused' | 'unknown'
}

/** Of a register that the client itself writes. */
export interface ReadOperation {
  readonly type: 'read'
  readonly client: string
  /** Whom it asked. */
  readonly server: string
  readonly register: string
  /** Absent: the register was not there. */
  readonly value?: number
}

export interface WatchRecord {
  readonly name: string
  /** `every`: each change is told once, in order. `latest`: steps may be left out, but at a mark everything up to it has been told. */
  readonly kind: 'every' | 'latest'
  /** It was to tell what comes after this revision … */
  readonly after: number
  /** … up to this one; absent for `latest`, whose marks say so. */
  readonly until?: number
  /** Registers that it tells of. Absent: all. */
  readonly registers?: readonly string[]
  readonly seen: readonly WatchSight[]
}

export type WatchSight =
  | { readonly type: 'change'; readonly register: string; readonly value?: number; readonly revision?: number }
  | { readonly type: 'mark'; readonly revision: number }

/** What somebody holds from this revision on, in place of what they held before. */
export interface Grant {
  readonly revision: number
  readonly holder: string
  /** Empty: they hold nothing any more. */
  readonly parts: readonly GrantedPart[]
}

export interface GrantedPart {
  /** `node-1 core 3`, `address 10.77.1.4`, `node-1 port 8080` */
  readonly name: string
  /** Of 1000 thousandths, which is all there is of it. */
  readonly milli: number
}

/** A term begins at the revision of its number. */
export interface TermRecord {
  readonly role: string
  readonly number: number
  readonly server: string
  /** The revision at which the role was given up or taken away. Absent: it lasts. */
  readonly endedAt?: number
}

/** A commit that only the leader of the role may make. */
export interface LeaderAct {
  readonly role: string
  /** The process that made it. */
  readonly actor: string
  readonly revision: number
  readonly what: string
}

export const rules = [
  'lost-write',
  'undone-write',
  'ghost-write',
  'stale-read',
  'invented-read',
  'watch-skips',
  'watch-repeats',
  'watch-invents',
  'given-twice',
  'two-leaders',
  'acts-without-term',
] as const

export type Rule = (typeof rules)[number]

export interface Violation {
  readonly rule: Rule
  readonly message: string
}
