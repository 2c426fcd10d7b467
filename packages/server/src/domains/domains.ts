import { BerthError, closest, type DomainDocument, formatPath, type OwnDomain, readDomain } from '@berth/core'
import { specsOf } from '../controllers/name-tables.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { DomainRecord, Records, RecordTransaction, State } from '../records/index.ts'

const maxDomainCount = 1000

export interface DomainPutOptions {
  /** Refuse unless it has this version; 0: unless there is none. */
  readonly version?: number | undefined
}

/** Domains of the operators' own that Berth's DNS answers for, as people change them. Nodes are told with the names. */
export class Domains {
  readonly #records: Records
  readonly #state: State
  /** The cluster's. */
  readonly #own: string
  readonly #now: () => number

  constructor(records: Records, own: string, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#own = own
    this.#now = now
  }

  /** Throws `domain.not-found`. */
  require(name: string): DomainRecord {
    const found = this.#state.domains.get(name)
    if (found !== undefined) return found
    const names = [...this.#state.domains.ids()].sort()
    const near = closest(name, names)
    const hint = near === undefined ? `there are: ${names.slice(0, 20).join(', ') || 'none'}` : `did you mean ${near}?`
    throw new BerthError('domain.not-found', `there is no domain ${name}; ${hint}`, { details: { domain: name } })
  }

  /** Throws `domain.invalid`, `domain.changed`, `domain.too-many`. */
  async put(
    name: string,
    document: DomainDocument,
    options: DomainPutOptions,
    context: CallContext,
  ): Promise<DomainRecord> {
    const domain = readOrRefuse(name, document, this.#own)
    const decide = (tx: RecordTransaction): DomainRecord => {
      const before = this.#state.domains.get(name)
      checkVersion(name, before, options.version)
      if (before !== undefined && isSame(before, domain)) return before
      this.#check(domain, before)
      const record = {
        ...{ ...domain, version: (before?.version ?? 0) + 1 },
        ...{ updatedAt: this.#now(), updatedBy: context.actor },
      }
      tx.put('domains', record, { ifUnchanged: true })
      const type = before === undefined ? 'domain.created' : 'domain.updated'
      tx.event({ type, subject: {}, message: `domain ${name}: ${meaningOf(domain)}` })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Throws `domain.not-found`, `domain.changed`. */
  async remove(name: string, options: DomainPutOptions, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      checkVersion(name, this.require(name), options.version)
      tx.delete('domains', name, { ifUnchanged: true })
      tx.event({ type: 'domain.removed', subject: {}, message: `domain ${name} was removed` })
    }
    await this.#records.commit(context.actor, decide, context)
  }

  #check({ name, target }: OwnDomain, before: DomainRecord | undefined): void {
    if (before === undefined && this.#state.domains.size >= maxDomainCount)
      throw new BerthError(
        'domain.too-many',
        `make domain ${name}: there are ${maxDomainCount} already; remove some first`,
      )
    const problem = target === undefined ? undefined : targetProblem(this.#state, target)
    if (problem !== undefined) throw invalid(name, [{ path: 'target', message: problem }])
  }
}

/** Why a name of Berth's leads nowhere, whatever runs; undefined when it may lead somewhere. */
export function targetProblem(state: State, target: string): string | undefined {
  const app = target.slice(target.lastIndexOf('.') + 1)
  if (state.apps.has(app) || state.externals.has(target)) return undefined
  const near = closest(app, [...state.apps.ids(), ...state.externals.ids()])
  return `there is no app or external service ${app}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** What of an app that is there is not, or not yet; it may come. */
export function targetWarning(state: State, target: string): string | undefined {
  const [app = '', ...before] = target.split('.').reverse()
  const [nearer = '', name] = before
  if (before.length === 0 || state.externals.has(target) || !state.apps.has(app)) return undefined
  const pools = state.pools.byApp(app).map((pool) => pool.name)
  const entrypoints = specsOf(state, app, pools).flatMap((spec) => Object.keys(spec.entrypoints))
  if (entrypoints.length === 0) return undefined
  if (before.length === 1)
    return entrypoints.includes(nearer) || pools.includes(nearer)
      ? undefined
      : `${app} has no entrypoint or pool ${nearer}; ${otherNames(nearer, [...entrypoints, ...pools])}`
  if (!pools.includes(nearer)) return `${app} has no pool ${nearer}; ${otherNames(nearer, pools)}`
  const entrypoint = (name ?? '').replace(/-[0-9]+$/, '')
  return entrypoints.includes(name ?? '') || entrypoints.includes(entrypoint)
    ? undefined
    : `${app} has no entrypoint ${name}; ${otherNames(entrypoint, entrypoints)}`
}

function otherNames(name: string, names: readonly string[]): string {
  const near = closest(name, names)
  return near === undefined ? `there are: ${[...new Set(names)].slice(0, 8).join(', ')}` : `did you mean ${near}?`
}

const meaningOf = ({ target, addresses, resolvers = [] }: OwnDomain): string =>
  target ?? addresses?.join(', ') ?? `asked of ${resolvers.map(({ address }) => address).join(', ')}`

function readOrRefuse(name: string, document: DomainDocument, own: string): OwnDomain {
  const { domain, issues } = readDomain(name, document, own)
  if (domain !== undefined) return domain
  throw invalid(
    name,
    issues.map(({ path, message, suggestion }) => ({
      ...{ path: formatPath(path), message },
      ...(suggestion === undefined ? {} : { suggestion }),
    })),
  )
}

interface Problem {
  readonly path: string
  readonly message: string
  readonly suggestion?: string
}

function invalid(name: string, problems: readonly Problem[]): BerthError {
  const texts = problems.map(({ path, message, suggestion }) =>
    [path, message, suggestion].filter((part) => part !== undefined && part !== '').join(': '),
  )
  return new BerthError('domain.invalid', `domain ${name}: ${texts.slice(0, 10).join('; ')}`, {
    details: { problems },
  })
}

function checkVersion(name: string, before: DomainRecord | undefined, wanted: number | undefined): void {
  const version = before?.version ?? 0
  if (wanted === undefined || wanted === version) return
  throw new BerthError(
    'domain.changed',
    `domain ${name} has version ${version} by now, not ${wanted}; look at it again: berth domain show ${name}`,
    { details: { domain: name, version } },
  )
}

const isSame = (before: OwnDomain, after: OwnDomain): boolean =>
  JSON.stringify(inOrder(before)) === JSON.stringify(inOrder(after))

const inOrder = ({ target, addresses, resolvers }: OwnDomain) => [
  ...[target, addresses, resolvers?.map(({ address, site }) => [address, site])],
]
