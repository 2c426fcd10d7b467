import { type Instance, type InstanceStatus, type Node, parseCores } from '../../../packages/core/src/index.ts'
import type {
  Grant,
  GrantedPart,
  LeaderAct,
  RegisterChange,
  TermRecord,
} from '../../../packages/lab/src/history/index.ts'
import type { WatchBatch } from '../../../packages/server/src/store/store.ts'

/** What of a watch of the whole store concerns the rules. */
export interface StoreHistory {
  readonly changes: RegisterChange[]
  readonly grants: Grant[]
  readonly terms: TermRecord[]
  readonly acts: LeaderAct[]
}

/** Labels of nodes that tests write. */
const registerPrefix = 'w-'
export const labelOf = (name: string): string => `${registerPrefix}${name}`
export const registerOf = (node: string, name: string): string => `${node} ${labelOf(name)}`

/** Events that only the leader of `cluster` writes. */
const leaderEvents = /^(instance\.(created|started|ready|unready|ended|restarted)|node\.(online|offline))$/

interface KeyChange {
  readonly revision: number
  readonly key: string
  readonly value: string | undefined
}

/** Every write of every key as a register of its own, whose value is the revision: what a watch of the store has to tell once. */
export const writesOf = (batches: readonly WatchBatch[]): RegisterChange[] =>
  keyChanges(batches).map(({ key, revision }) => ({ register: key, revision, value: revision }))

export function readStoreHistory(batches: readonly WatchBatch[]): StoreHistory {
  const history: StoreHistory = { changes: [], grants: [], terms: [], acts: [] }
  const readers = [new Registers(), new Grants(), new Leaders()]
  for (const change of keyChanges(batches)) for (const reader of readers) reader.read(change, history)
  return history
}

const keyChanges = (batches: readonly WatchBatch[]): KeyChange[] =>
  batches.flatMap(({ revision, changes }) =>
    changes.map((change) =>
      change.type === 'put'
        ? { revision, key: change.kv.key, value: change.kv.value }
        : { revision, key: change.key, value: undefined },
    ),
  )

const after = (key: string, prefix: string): string | undefined =>
  key.startsWith(prefix) ? key.slice(prefix.length) : undefined

/** A node's record is written whole: what counts is which of its labels are others. */
class Registers {
  readonly #known = new Map<string, number>()

  read({ revision, key, value }: KeyChange, { changes }: StoreHistory): void {
    const node = after(key, '/nodes/')
    if (node === undefined || value === undefined) return
    for (const [register, number] of registersOf(JSON.parse(value) as Node)) {
      if (this.#known.get(register) !== number) changes.push({ revision, register, value: number })
      this.#known.set(register, number)
    }
    for (const register of [...this.#known.keys()].filter((each) => each.startsWith(`${node} `))) {
      if (registersOf(JSON.parse(value) as Node).has(register)) continue
      changes.push({ revision, register })
      this.#known.delete(register)
    }
  }
}

export function registersOf({ name, labels }: Pick<Node, 'name' | 'labels'>): Map<string, number> {
  const own = Object.entries(labels).filter(([label]) => label.startsWith(registerPrefix))
  return new Map(own.map(([label, text]) => [`${name} ${label}`, Number(text)]))
}

/** An instance holds what its record says until its status says that it has ended, or it is gone. */
class Grants {
  readonly #ended = new Set<string>()

  read({ revision, key, value }: KeyChange, { grants }: StoreHistory): void {
    const instance = after(key, '/instances/')
    const status = after(key, '/status/')
    const holder = instance ?? status
    if (holder === undefined) return
    if (instance !== undefined && value === undefined) {
      this.#ended.delete(holder)
      grants.push({ revision, holder, parts: [] })
    } else if (instance !== undefined && value !== undefined) {
      if (!this.#ended.has(holder)) grants.push({ revision, holder, parts: partsOf(JSON.parse(value) as Instance) })
    } else if (value !== undefined && (JSON.parse(value) as InstanceStatus).phase === 'ended') {
      this.#ended.add(holder)
      grants.push({ revision, holder, parts: [] })
    }
  }
}

function partsOf({ node, address, hostPorts = [], cores = '' }: Instance): GrantedPart[] {
  if (node === undefined) return []
  const read = parseCores(cores)
  if (!read.ok) throw new Error(`cores “${cores}” cannot be read`)
  const { whole, fragmentCore, fragmentMilli } = read.value
  return [
    ...(address === undefined ? [] : [{ name: `address ${address}`, milli: 1_000 }]),
    ...hostPorts.map((port) => ({ name: `${node} port ${port}`, milli: 1_000 })),
    ...whole.map((core) => ({ name: `${node} core ${core}`, milli: 1_000 })),
    ...(fragmentMilli > 0 ? [{ name: `${node} core ${fragmentCore}`, milli: fragmentMilli }] : []),
  ]
}

class Leaders {
  readonly #open = new Map<string, { role: string; number: number; server: string; endedAt?: number }>()

  read({ revision, key, value }: KeyChange, { terms, acts }: StoreHistory): void {
    const role = after(key, '/leaders/')
    if (role !== undefined) {
      const open = this.#open.get(role)
      if (open !== undefined) open.endedAt = revision
      this.#open.delete(role)
      if (value === undefined) return
      const { server } = JSON.parse(value) as { readonly server: string }
      const term = { role, number: revision, server }
      this.#open.set(role, term)
      terms.push(term)
    }
    const event = after(key, '/events/')
    if (event === undefined || value === undefined) return
    const { type } = JSON.parse(value) as { readonly type: string }
    // The last part of an event's id names the process that wrote it.
    const actor = event.slice(event.lastIndexOf('-') + 1)
    if (leaderEvents.test(type)) acts.push({ role: 'cluster', actor, revision, what: type })
  }
}
