import {
  BerthError,
  closest,
  type DocumentProblem,
  type DomainDocument,
  namesInstead,
  type OwnDomain,
  problemOf,
  problemsText,
  readDomain,
} from '@berth/core'
import { specsOf } from '../controllers/name-tables.ts'
import type { CallContext } from '../controllers/operations.ts'
import {
  type Change,
  checkVersion,
  type DomainRecord,
  type EventDraft,
  NamedRecords,
  type Records,
  type State,
} from '../records/index.ts'

const maxDomainCount = 1000

export interface DomainPutOptions {
  /** Refuse unless it has this version; 0: unless there is none. */
  readonly version?: number | undefined
}

/** Domains of the operators' own that Berth's DNS answers for, as people change them. Nodes are told with the names. */
export class Domains {
  readonly #domains: NamedRecords<'domains'>
  readonly #state: State
  /** The cluster's. */
  readonly #own: string
  readonly #now: () => number

  constructor(records: Records, own: string, now: () => number = Date.now) {
    this.#domains = new NamedRecords(records, {
      ...{ kind: 'domains', most: maxDomainCount },
      missing: (name, hint) =>
        new BerthError('domain.not-found', `there is no domain ${name}; ${hint}`, { details: { domain: name } }),
      tooMany: (name, most) =>
        new BerthError('domain.too-many', `make domain ${name}: there are ${most} already; remove some first`),
    })
    this.#state = records.state
    this.#own = own
    this.#now = now
  }

  /** Throws `domain.not-found`. */
  require(name: string): DomainRecord {
    return this.#domains.require(name)
  }

  /** Throws `domain.invalid`, `domain.changed`, `domain.too-many`. */
  async put(
    name: string,
    document: DomainDocument,
    options: DomainPutOptions,
    context: CallContext,
  ): Promise<DomainRecord> {
    const domain = readOrRefuse(name, document, this.#own)
    const decide = (before: DomainRecord | undefined): Change<DomainRecord> => {
      checkVersion(before, options.version, changed(name, options.version))
      if (before !== undefined && isSame(before, domain)) return { record: before }
      this.#domains.requireRoom(name, before)
      this.#checkTarget(domain)
      const record = {
        ...{ ...domain, version: (before?.version ?? 0) + 1 },
        ...{ updatedAt: this.#now(), updatedBy: context.actor },
      }
      const type = before === undefined ? 'domain.created' : 'domain.updated'
      return { record, event: { type, subject: {}, message: `domain ${name}: ${meaningOf(domain)}` } }
    }
    return this.#domains.put(name, decide, context)
  }

  /** Throws `domain.not-found`, `domain.changed`. */
  remove(name: string, options: DomainPutOptions, context: CallContext): Promise<void> {
    const told = (record: DomainRecord): EventDraft => {
      checkVersion(record, options.version, changed(name, options.version))
      return { type: 'domain.removed', subject: {}, message: `domain ${name} was removed` }
    }
    return this.#domains.remove(name, told, context)
  }

  #checkTarget({ name, target }: OwnDomain): void {
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

const otherNames = (name: string, names: readonly string[]): string => namesInstead(name, [...new Set(names)], 8)

const meaningOf = ({ target, addresses, resolvers = [] }: OwnDomain): string =>
  target ?? addresses?.join(', ') ?? `asked of ${resolvers.map(({ address }) => address).join(', ')}`

function readOrRefuse(name: string, document: DomainDocument, own: string): OwnDomain {
  const { domain, issues } = readDomain(name, document, own)
  if (domain !== undefined) return domain
  throw invalid(name, issues.map(problemOf))
}

const invalid = (name: string, problems: readonly DocumentProblem[]): BerthError =>
  new BerthError('domain.invalid', `domain ${name}: ${problemsText(problems)}`, { details: { problems } })

const changed = (name: string, wanted?: number) => (version: number) =>
  new BerthError(
    'domain.changed',
    `domain ${name} has version ${version} by now, not ${wanted}; look at it again: berth domain show ${name}`,
    { details: { domain: name, version } },
  )

const isSame = (before: OwnDomain, after: OwnDomain): boolean =>
  JSON.stringify(inOrder(before)) === JSON.stringify(inOrder(after))

const inOrder = ({ target, addresses, resolvers }: OwnDomain) => [
  ...[target, addresses, resolvers?.map(({ address, site }) => [address, site])],
]
