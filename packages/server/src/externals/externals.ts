import { BerthError, closest, type ExternalDocument, type ExternalService, formatPath, readExternal } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { ExternalRecord, Records, RecordTransaction, State } from '../records/index.ts'
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
  readonly #records: Records
  readonly #state: State
  readonly #own: OwnNames
  readonly #now: () => number

  constructor(records: Records, own: OwnNames, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#own = own
    this.#now = now
  }

  /** Throws `external.not-found`. */
  require(name: string): ExternalRecord {
    const found = this.#state.externals.get(name)
    if (found !== undefined) return found
    const names = [...this.#state.externals.ids()].sort()
    const near = closest(name, names)
    const hint = near === undefined ? `there are: ${names.slice(0, 20).join(', ') || 'none'}` : `did you mean ${near}?`
    throw new BerthError('external.not-found', `there is no external service ${name}; ${hint}`, {
      details: { external: name },
    })
  }

  /** Throws `external.invalid`, `external.changed`, `external.conflict`, `external.too-many`, `app.not-found`. */
  async put(
    name: string,
    document: ExternalDocument,
    options: PutOptions,
    context: CallContext,
  ): Promise<ExternalRecord> {
    const external = readOrRefuse(name, document, this.#own)
    const decide = (tx: RecordTransaction): ExternalRecord => {
      const before = this.#state.externals.get(name)
      checkVersion(name, before, options.version)
      if (before !== undefined && isSame(before, external)) return before
      this.#check(external, before)
      const version = (before?.version ?? 0) + 1
      const record = { ...external, version, updatedAt: this.#now(), updatedBy: context.actor }
      tx.put('externals', record, { ifUnchanged: true })
      tx.event({
        type: before === undefined ? 'external.created' : 'external.updated',
        subject: {},
        message: `external service ${name}: ${external.target ?? external.addresses.join(', ')}`,
      })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Throws `external.not-found`, `external.changed`. */
  async remove(name: string, options: PutOptions, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      checkVersion(name, this.require(name), options.version)
      tx.delete('externals', name, { ifUnchanged: true })
      tx.event({ type: 'external.removed', subject: {}, message: `external service ${name} was removed` })
    }
    await this.#records.commit(context.actor, decide, context)
  }

  #check(external: ExternalService, before: ExternalRecord | undefined): void {
    const { name } = external
    if (before === undefined && this.#state.externals.size >= maxExternalCount)
      throw new BerthError(
        'external.too-many',
        `make external service ${name}: there are ${maxExternalCount} already; remove some first`,
      )
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
  const problems = issues.map(({ path, message, suggestion }) => ({
    ...{ path: formatPath(path), message },
    ...(suggestion === undefined ? {} : { suggestion }),
  }))
  const texts = problems.map(({ path, message, suggestion }) =>
    [path, message, suggestion].filter((part) => part !== undefined).join(': '),
  )
  throw new BerthError('external.invalid', `external service ${name}: ${texts.slice(0, 10).join('; ')}`, {
    details: { problems },
  })
}

function checkVersion(name: string, before: ExternalRecord | undefined, wanted: number | undefined): void {
  const version = before?.version ?? 0
  if (wanted === undefined || wanted === version) return
  throw new BerthError(
    'external.changed',
    `external service ${name} has version ${version} by now, not ${wanted}; look at it again: berth external show ${name}`,
    { details: { external: name, version } },
  )
}

const isSame = ({ version: _, updatedAt: __, updatedBy: ___, ...before }: ExternalRecord, after: ExternalService) =>
  JSON.stringify(inOrder(before)) === JSON.stringify(inOrder(after))

const inOrder = ({ name, addresses, target, ports, tags, site, routes }: ExternalService) => [
  ...[name, addresses, target, ports, tags, site, routes],
]
