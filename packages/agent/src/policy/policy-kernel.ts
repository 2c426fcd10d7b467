import type { DropsReport, RuleCounts } from '@berth/api'
import {
  BerthError,
  compilePolicy,
  messageOf,
  type NodePolicy,
  type PolicyTable,
  type Profile,
  renderClosed,
  renderNoTable,
  renderTable,
  renderTableChange,
} from '@berth/core'
import type { Logger } from 'pino'
import { type Exec, mustRun } from '../network/run-command.ts'
import { readCounts, readDrops } from './policy-counts.ts'
import { isLarge, isListingOf, listTable, setsHold } from './policy-listing.ts'

/** So often the elements of large sets are looked at one by one, and what was refused is tried again. */
const slowCheckMs = 60_000
const nftTimeoutMs = 30_000

interface Applied {
  readonly table: PolicyTable
  /** As the kernel shows it, without elements where they are many. */
  readonly listing: string
  /** When the whole of it was made: its counters began then. */
  readonly since: number
}

/** A profile that nft refuses; instances that have it are closed. */
export interface RefusedProfile {
  /** Another version of it is another object, and tried anew. */
  readonly profile: Profile
  /** What nft says. */
  readonly said: string
}

/** The table in the kernel: made, changed and kept as it should be. Calls must not overlap. */
export class PolicyKernel {
  readonly #exec: Exec
  readonly #log: Logger
  #applied: Applied | undefined
  #refused: readonly RefusedProfile[] = []
  #isGone = false
  #slowCheckAt = 0

  constructor(exec: Exec, log: Logger) {
    this.#exec = exec
    this.#log = log
  }

  /** Puts it in force but for what nft refuses of it, or throws and leaves what was there. */
  async put(policy: NodePolicy, signal?: AbortSignal): Promise<readonly RefusedProfile[]> {
    if (policy.endpoints.size === 0) return await this.#putNone(signal)
    this.#refused = this.#refused.filter(({ profile }) => policy.profiles.get(profile.name) === profile)
    const table = compilePolicy(withoutRefused(policy, this.#refused))
    const change = this.#applied === undefined ? renderTable(table) : renderTableChange(this.#applied.table, table)
    if (change !== undefined && !(await this.#try(change, signal))) return await this.#putAnew(policy, signal)
    if (change !== undefined) this.#note(table, this.#applied?.since ?? Date.now())
    return this.#refused
  }

  /** Notes how the kernel shows what was put, so that others' changes are found. Not before it is in force: nobody waits for it. */
  async list(signal: AbortSignal): Promise<void> {
    const applied = this.#applied
    if (applied === undefined || applied.listing !== '') return
    const listing = await listTable(this.#exec, applied.table, signal)
    if (isListingOf(applied.table, listing)) this.#applied = { ...applied, listing }
  }

  /** What rules have counted; with `profile` those of one. Nothing where no instance has a profile. May be asked at any time. */
  async counts(options: { readonly profile?: string; readonly signal?: AbortSignal }): Promise<RuleCounts> {
    if (this.#applied === undefined) return { rules: [] }
    const { since, table } = this.#applied
    return { since, rules: await readCounts(this.#exec, table, options) }
  }

  /** What was dropped of late. May be asked at any time. */
  async drops({ signal }: { readonly signal?: AbortSignal }): Promise<DropsReport> {
    if (this.#applied === undefined) return { isFull: false, drops: [] }
    return await readDrops(this.#exec, this.#applied.table, { now: Date.now(), signal })
  }

  /** Makes what was put again when somebody else has changed it; compiles nothing otherwise. Tells what nft refuses, as `put` does. */
  async check(policy: NodePolicy, signal?: AbortSignal): Promise<readonly RefusedProfile[]> {
    if (this.#applied === undefined) return this.#refused
    const isSlow = performance.now() - this.#slowCheckAt >= slowCheckMs
    if (isSlow) this.#slowCheckAt = performance.now()
    const holds = await this.#holds(this.#applied, isSlow, signal)
    if (!holds) this.#log.warn('somebody has changed the security rules in the kernel; they are made anew')
    if (!holds || (isSlow && this.#refused.length > 0)) return await this.#putAnew(policy, signal)
    return this.#refused
  }

  async #holds({ table, listing }: Applied, isSlow: boolean, signal: AbortSignal | undefined): Promise<boolean> {
    if ((await listTable(this.#exec, table, signal)) !== listing) return false
    return !isSlow || !isLarge(table) || (await setsHold(this.#exec, table, signal))
  }

  async #putNone(signal: AbortSignal | undefined): Promise<readonly RefusedProfile[]> {
    this.#refused = []
    if (!this.#isGone) await run(this.#exec, renderNoTable(), signal)
    this.#isGone = true
    this.#applied = undefined
    return this.#refused
  }

  /** The whole table; what nft does not take of it is found and left out, which closes whoever has it. */
  async #putAnew(policy: NodePolicy, signal: AbortSignal | undefined): Promise<readonly RefusedProfile[]> {
    let refused: readonly RefusedProfile[] = []
    let table = compilePolicy(policy)
    if (!(await this.#try(renderTable(table), signal))) {
      refused = await this.#findRefused(policy, signal)
      table = compilePolicy(withoutRefused(policy, refused))
      await run(this.#exec, renderTable(table), signal)
    }
    this.#refused = refused
    this.#note(table, Date.now())
    return refused
  }

  /** Halves what does not go until single profiles are left. Throws what nft says when it is none of them. */
  async #findRefused(policy: NodePolicy, signal: AbortSignal | undefined): Promise<RefusedProfile[]> {
    const refused: RefusedProfile[] = []
    const refusalOf = async (some: readonly Profile[]): Promise<string | undefined> => {
      const profiles = new Map(some.map((profile) => [profile.name, profile]))
      const input = renderTable(compilePolicy({ ...policy, profiles }))
      const { code, stderr } = await this.#exec('nft', ['-c', '-f', '-'], { input, signal, timeoutMs: nftTimeoutMs })
      return code === 0 ? undefined : stderr.trim()
    }
    const base = await refusalOf([])
    if (base !== undefined)
      throw new BerthError('policy.refused', `nft does not take the security rules: ${firstLine(base)}`)
    const search = async (some: readonly Profile[]): Promise<void> => {
      const said = some.length === 0 ? undefined : await refusalOf(some)
      if (said === undefined) return
      const [profile, ...others] = some
      if (profile !== undefined && others.length === 0) return void refused.push({ profile, said: firstLine(said) })
      const middle = some.length >> 1
      await search(some.slice(0, middle))
      await search(some.slice(middle))
    }
    await search([...policy.profiles.values()])
    return refused
  }

  /** False when nft refuses; then nothing has changed. */
  async #try(ruleset: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await run(this.#exec, ruleset, signal)
      return true
    } catch (error) {
      if (signal?.aborted || !(error instanceof BerthError) || error.details.stderr === undefined) throw error
      this.#log.warn({ reason: messageOf(error) }, 'nft refused a change of the security rules')
      return false
    }
  }

  /** Until it is listed whatever is there counts as changed. */
  #note(table: PolicyTable, since: number): void {
    this.#isGone = false
    this.#applied = { table, since, listing: '' }
  }
}

function withoutRefused(policy: NodePolicy, refused: readonly RefusedProfile[]): NodePolicy {
  if (refused.length === 0) return policy
  const names = new Set(refused.map(({ profile }) => profile.name))
  return { ...policy, profiles: new Map([...policy.profiles].filter(([name]) => !names.has(name))) }
}

const firstLine = (text: string): string => text.split('\n', 1)[0]?.slice(0, 300) ?? ''

const run = (exec: Exec, input: string, signal: AbortSignal | undefined): Promise<string> =>
  mustRun(exec, 'nft', ['-f', '-'], { input, signal, timeoutMs: nftTimeoutMs })

/** With that of containers that wait for rules; also where there is none. */
export const removePolicyTable = (exec: Exec, signal?: AbortSignal): Promise<string> =>
  run(exec, `${renderNoTable()}${renderClosed([], [])}`, signal)
