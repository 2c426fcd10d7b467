import { BerthError } from '@berth/core'
import { encodeRecord, keyOf, type MemberRecord, type State } from '../records/index.ts'
import type { Store } from '../store/store.ts'
import { pause, type Session } from './session.ts'
import { areVersionsCompatible } from './versions.ts'

export interface MembershipOptions {
  readonly store: Store
  readonly state: State
  readonly member: MemberRecord
  /** How long a name stays taken after a server of that name was killed. */
  readonly graceMs: number
}

const lookMs = 100

/** This server among the others: `/servers/<name>`, on its lease. */
export class Membership {
  readonly #options: MembershipOptions
  #member: MemberRecord

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#member = options.member
  }

  get name(): string {
    return this.#member.name
  }

  /** Throws `server.version-apart`: beside a server that may not understand what this one writes, it writes nothing. */
  checkVersions(): void {
    const { state } = this.#options
    const { name, version } = this.#member
    for (const other of state.members.values()) {
      if (other.name === name || areVersionsCompatible(version, other.version)) continue
      throw new BerthError(
        'server.version-apart',
        `start server ${name} (${version}) beside ${other.name} (${other.version}): servers of one cluster may be one minor version apart; upgrade one after the other through every minor version`,
        { details: { server: other.name, version: other.version } },
      )
    }
  }

  /** Throws `server.name-taken` when another server of this name goes on living. */
  async register(session: Session, signal: AbortSignal): Promise<void> {
    const until = performance.now() + this.#options.graceMs
    while (!(await this.#tryRegister(session, signal))) {
      if (performance.now() > until) throw this.#taken()
      await pause(lookMs, signal)
      signal.throwIfAborted()
    }
  }

  /** Tells the others what has changed about this one. */
  async describe(session: Session, change: Partial<MemberRecord>, signal: AbortSignal): Promise<void> {
    this.#member = { ...this.#member, ...change }
    await this.#tryRegister(session, signal)
  }

  async #tryRegister({ lease }: Session, signal: AbortSignal): Promise<boolean> {
    const { store, state } = this.#options
    const key = keyOf('members', this.name)
    const { kv } = await store.get(key, { signal })
    const isAnothers = kv !== undefined && (JSON.parse(kv.value) as MemberRecord).run !== this.#member.run
    if (isAnothers && lease !== undefined) return false
    const value = encodeRecord('members', this.#member)
    const put = { type: 'put' as const, key, value, ...(lease === undefined ? {} : { lease }) }
    const { ok, revision } = await store.commit(
      { compare: [{ key, modRevision: kv?.modRevision ?? 0 }], operations: [put] },
      { signal },
    )
    if (ok) await state.waitFor(revision, { signal })
    return ok
  }

  #taken(): BerthError {
    const other = this.#options.state.members.get(this.name)
    const where = other?.apiAddress === undefined ? '' : ` (at ${other.apiAddress})`
    return new BerthError(
      'server.name-taken',
      `start server ${this.name}: a server of this name is up${where}; give this one another name with --server-name`,
      { details: { server: this.name } },
    )
  }
}
