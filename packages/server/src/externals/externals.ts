import {
  BerthError,
  type ExternalDocument,
  type ExternalService,
  problemOf,
  problemsText,
  readExternal,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import {
  type Change,
  checkVersion,
  type EventDraft,
  type ExternalRecord,
  NamedRecords,
  type Records,
  type State,
} from '../records/index.ts'
import { externalConflicts } from './external-conflicts.ts'

const maxExternalCount = 1000

export interface PutOptions {
  /** Refuse unless it has this version; 0: unless there is none. */
  readonly version?: number | undefined
}

export interface OwnNames {
  readonly domain: string
  /** Ranges of the address pools as they are now. */
  readonly addressPools: () => readonly string[]
}

/** External services, as people change them. Names, rules and routes follow from the records. */
export class Externals {
  readonly #externals: NamedRecords<'externals'>
  readonly #state: State
  readonly #own: OwnNames
  readonly #now: () => number

  constructor(records: Records, own: OwnNames, now: () => number = Date.now) {
    this.#externals = new NamedRecords(records, {
      ...{ kind: 'externals', most: maxExternalCount },
      missing: (name, hint) =>
        new BerthError('external.not-found', `there is no external service ${name}; ${hint}`, {
          details: { external: name },
        }),
      tooMany: (name, most) =>
        new BerthError(
          'external.too-many',
          `make external service ${name}: there are ${most} already; remove some first`,
        ),
    })
    this.#state = records.state
    this.#own = own
    this.#now = now
  }

  /** Throws `external.not-found`. */
  require(name: string): ExternalRecord {
    return this.#externals.require(name)
  }

  /** Throws `external.invalid`, `external.changed`, `external.conflict`, `external.too-many`, `app.not-found`. */
  async put(
    name: string,
    document: ExternalDocument,
    options: PutOptions,
    context: CallContext,
  ): Promise<ExternalRecord> {
    const external = readOrRefuse(name, document, this.#own)
    const decide = (before: ExternalRecord | undefined): Change<ExternalRecord> => {
      checkVersion(before, options.version, changed(name, options.version))
      if (before !== undefined && isSame(before, external)) return { record: before }
      this.#externals.requireRoom(name, before)
      this.#refuseConflicts(external)
      const version = (before?.version ?? 0) + 1
      const type = before === undefined ? 'external.created' : 'external.updated'
      const message = `external service ${name}: ${external.target ?? external.addresses.join(', ')}`
      const record = { ...external, version, updatedAt: this.#now(), updatedBy: context.actor }
      return { record, event: { type, subject: {}, message } }
    }
    return this.#externals.put(name, decide, context)
  }

  /** Throws `external.not-found`, `external.changed`. */
  remove(name: string, options: PutOptions, context: CallContext): Promise<void> {
    const told = (record: ExternalRecord): EventDraft => {
      checkVersion(record, options.version, changed(name, options.version))
      return { type: 'external.removed', subject: {}, message: `external service ${name} was removed` }
    }
    return this.#externals.remove(name, told, context)
  }

  #refuseConflicts(external: ExternalService): void {
    const { name } = external
    const conflicts = externalConflicts(this.#state, external)
    if (conflicts.length > 0)
      throw new BerthError('external.conflict', `external service ${name}: ${conflicts.join('; ')}`, {
        details: { external: name, conflicts },
      })
  }
}

function readOrRefuse(name: string, document: ExternalDocument, own: OwnNames): ExternalService {
  const { external, issues } = readExternal(name, document, { ...own, addressPools: own.addressPools() })
  if (external !== undefined) return external
  const problems = issues.map(problemOf)
  throw new BerthError('external.invalid', `external service ${name}: ${problemsText(problems)}`, {
    details: { problems },
  })
}

const changed = (name: string, wanted?: number) => (version: number) =>
  new BerthError(
    'external.changed',
    `external service ${name} has version ${version} by now, not ${wanted}; look at it again: berth external show ${name}`,
    { details: { external: name, version } },
  )

const isSame = ({ version: _, updatedAt: __, updatedBy: ___, ...before }: ExternalRecord, after: ExternalService) =>
  JSON.stringify(inOrder(before)) === JSON.stringify(inOrder(after))

const inOrder = ({ name, addresses, target, ports, tags, site, routes }: ExternalService) => [
  ...[name, addresses, target, ports, tags, site, routes],
]
