import { randomBytes } from 'node:crypto'
import { BerthError, type Pipeline, type PipelineDocument, readPipeline } from '@berth/core'
import type { Logger } from 'pino'
import { requireApp } from '../controllers/operations/lookup.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, State } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

export interface PipelinesOptions {
  readonly records: Records
  readonly key: SecretKey
  readonly log: Logger
  readonly now?: () => number
}

interface PutOptions {
  /** Refuse unless it has this version; 0: unless there is none. */
  readonly version?: number | undefined
}

/**
 * How commits of apps become what runs, as people set it. The secret of an app's webhooks is sealed at rest, is in the answer to who has it
 * made and nowhere else, and leaves this class only to check a signature.
 */
export class Pipelines {
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #log: Logger
  readonly #now: () => number

  constructor(options: PipelinesOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#key = options.key.derive('webhooks')
    this.#log = options.log
    this.#now = options.now ?? Date.now
  }

  /** Throws `app.not-found`, `pipeline.not-found`. */
  require(app: string): Pipeline {
    requireApp(this.#state, app)
    const found = this.#state.pipelines.get(app)
    if (found !== undefined) return found
    throw new BerthError(
      'pipeline.not-found',
      `${app} has no pipeline: pushes build nothing by themselves; see: berth pipeline set --help`,
      { details: { app } },
    )
  }

  /** What is not said is not there; webhooks stay. Throws `pipeline.invalid`, `pipeline.changed`. */
  async put(app: string, document: PipelineDocument, options: PutOptions, context: CallContext): Promise<Pipeline> {
    const { settings, problems } = readPipeline(document)
    if (problems.length > 0)
      throw new BerthError(
        'pipeline.invalid',
        `pipeline of ${app}: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
        { details: { app, problems } },
      )
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        requireApp(this.#state, app)
        const before = this.#state.pipelines.get(app)
        checkVersion(app, before, options.version)
        tx.require('apps', app)
        const next: Pipeline = {
          ...{ app, ...settings },
          ...(before?.sealed === undefined ? {} : { sealed: this.#reseal(before) }),
          ...{ version: (before?.version ?? 0) + 1, updatedAt: this.#now(), updatedBy: context.actor },
        }
        tx.put('pipelines', next, { ifUnchanged: true })
        tx.event({ type: 'pipeline.set', subject: { app }, message: `pipeline of ${app}: ${summaryOf(next)}` })
        return next
      },
      context,
    )
    return value
  }

  /** Throws `pipeline.not-found`. */
  async remove(app: string, context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        this.require(app)
        tx.delete('pipelines', app, { ifUnchanged: true })
        if (this.#state.seenRefs.has(app)) tx.delete('seenRefs', app)
        tx.event({ type: 'pipeline.removed', subject: { app }, message: `pipeline of ${app} removed` })
      },
      context,
    )
  }

  /** A new secret for webhooks; the one before is worth nothing from now on. */
  async createSecret(app: string, context: CallContext): Promise<string> {
    const secret = randomBytes(32).toString('base64url')
    await this.#records.commit(
      context.actor,
      (tx) => {
        const before = this.require(app)
        const version = before.version + 1
        const sealed = seal(this.#key, boundTo(app, version), secret)
        tx.put('pipelines', { ...before, version, sealed }, { ifUnchanged: true })
        tx.event({ type: 'pipeline.secret-made', subject: { app }, message: `new secret for webhooks of ${app}` })
      },
      context,
    )
    return secret
  }

  /** Undefined where no webhook is taken; one that does not open is logged, and taken for none. */
  secretOf(app: string): string | undefined {
    const record = this.#state.pipelines.get(app)
    if (record?.sealed === undefined) return undefined
    try {
      return this.#open(record, record.sealed)
    } catch (error) {
      this.#log.error({ err: error, app }, `webhooks of ${app} are refused`)
      return undefined
    }
  }

  #open = ({ app, version }: Pipeline, sealed: string): string => unseal(this.#key, boundTo(app, version), sealed)

  /** It is bound to the version, so that an older record put back into the store does not bring an old secret back. */
  #reseal(before: Pipeline): string {
    return seal(this.#key, boundTo(before.app, before.version + 1), this.#open(before, before.sealed ?? ''))
  }
}

const boundTo = (app: string, version: number): readonly string[] => ['webhook', app, String(version)]

function summaryOf({ branches, tags, deploy, environments }: Pipeline): string {
  const built = [...branches, ...tags]
  const parts = [
    built.length === 0 ? 'nothing is built by itself' : `builds ${built.join(', ')}`,
    ...(deploy === undefined ? [] : [`deploys to ${deploy}`]),
    ...(environments.length === 0 ? [] : [`promotes ${environments.join(' → ')}`]),
  ]
  return parts.join(', ')
}

function checkVersion(app: string, before: Pipeline | undefined, wanted: number | undefined): void {
  const version = before?.version ?? 0
  if (wanted === undefined || wanted === version) return
  throw new BerthError(
    'pipeline.changed',
    `the pipeline of ${app} has version ${version} by now, not ${wanted}; look at it again: berth pipeline show ${app}`,
    { details: { app, version } },
  )
}
