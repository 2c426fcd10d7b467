import { BerthError, checkName, isSecretName, secretNameRule } from '@berth/core'
import type { Logger } from 'pino'
import { requireApp } from '../controllers/operations/lookup.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, SecretRecord, State } from '../records/index.ts'
import { secretId } from '../records/index.ts'
import { seal, unseal } from './seal.ts'
import type { SecretKey } from './secret-key.ts'

export const maxSecretBytes = 131_072
/** Of one app: all of them are in the memory of every server. */
export const maxSecretsPerApp = 1_000

export interface SecretName {
  readonly app: string
  /** Absent: for every environment of the app. */
  readonly environment?: string
  readonly name: string
}

export interface SecretsOptions {
  readonly records: Records
  readonly key: SecretKey
  readonly log: Logger
  readonly now?: () => number
}

/**
 * Sealed values in the store. A value leaves this class only towards assignments ({@link valuesFor}); no call of the API returns one.
 */
export class Secrets {
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #log: Logger
  readonly #now: () => number

  constructor(options: SecretsOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#key = options.key.derive('secrets')
    this.#log = options.log
    this.#now = options.now ?? Date.now
  }

  /** Opens one value of the store, so that a server with the wrong key file says so at its start. */
  verifyKey(): void {
    for (const record of this.#state.secrets.values()) {
      this.#open(record)
      return
    }
  }

  async set(secret: SecretName, value: string, context: CallContext): Promise<SecretRecord> {
    checkSecretName(secret)
    checkValue(secret, value)
    const { value: record } = await this.#records.commit(
      context.actor,
      (tx) => {
        requireApp(this.#state, secret.app)
        // A secret that is set while its app goes must not wait for the next app of that name.
        tx.require('apps', secret.app)
        const id = secretId(secret.app, secret.environment, secret.name)
        refuseTooMany(secret.app, this.#state.secrets.byApp(secret.app).filter((each) => idOf(each) !== id).length)
        const version = (this.#state.secrets.get(id)?.version ?? 0) + 1
        const sealed = seal(this.#key, boundTo(secret, version), value)
        const next: SecretRecord = { ...secret, version, sealed, updatedAt: this.#now(), updatedBy: context.actor }
        tx.put('secrets', next, { ifUnchanged: true })
        tx.event({
          type: 'secret.set',
          subject: { app: secret.app },
          message: `${describe(secret)} set (version ${version})`,
        })
        return next
      },
      context,
    )
    return record
  }

  async remove(secret: SecretName, context: CallContext): Promise<void> {
    const id = secretId(secret.app, secret.environment, secret.name)
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (!this.#state.secrets.has(id)) throw notFound(secret)
        tx.delete('secrets', id, { ifUnchanged: true })
        tx.event({ type: 'secret.removed', subject: { app: secret.app }, message: `${describe(secret)} removed` })
      },
      context,
    )
  }

  /** Names that the app's instances of this environment would miss. */
  missing(app: string, environment: string, names: readonly string[]): string[] {
    return names.filter((name) => this.#find(app, environment, name) === undefined)
  }

  /**
   * Values for an assignment, the environment's own before the app's. A secret that is not set (a deploy refuses that, see
   * {@link missing}) or does not open is left out: one broken value must not keep a node from hearing of its other instances.
   */
  valuesFor(app: string, environment: string, names: readonly string[]): Map<string, string> {
    const values = new Map<string, string>()
    for (const name of names) {
      const record = this.#find(app, environment, name)
      const value = record === undefined ? undefined : this.#tryOpen(record)
      if (value !== undefined) values.set(name, value)
    }
    return values
  }

  #find(app: string, environment: string, name: string): SecretRecord | undefined {
    return this.#state.secrets.find(app, environment, name) ?? this.#state.secrets.find(app, undefined, name)
  }

  #tryOpen(record: SecretRecord): string | undefined {
    try {
      return this.#open(record)
    } catch (error) {
      this.#log.error({ err: error }, `an instance of ${record.app} goes without ${describe(record)}`)
      return undefined
    }
  }

  #open(record: SecretRecord): string {
    return unseal(this.#key, boundTo(record, record.version), record.sealed)
  }
}

const boundTo = (secret: SecretName, version: number): readonly string[] => [
  'secret',
  secret.app,
  secret.environment ?? '_',
  secret.name,
  String(version),
]

const describe = (secret: SecretName): string =>
  `secret ${secret.name} of ${secret.app}${secret.environment === undefined ? '' : ` (${secret.environment})`}`

const notFound = (secret: SecretName): BerthError =>
  new BerthError('secret.not-found', `there is no ${describe(secret)}; see: berth secret ls ${secret.app}`)

function checkSecretName(secret: SecretName): void {
  checkName('app', secret.app)
  if (secret.environment !== undefined) checkName('environment', secret.environment)
  if (isSecretName(secret.name)) return
  throw new BerthError('name.invalid', `${JSON.stringify(secret.name)} cannot name a secret: use ${secretNameRule}`)
}

const idOf = ({ app, environment, name }: SecretName): string => secretId(app, environment, name)

function refuseTooMany(app: string, others: number): void {
  if (others < maxSecretsPerApp) return
  throw new BerthError(
    'secret.too-many',
    `${app} has ${others} secrets, which is as many as an app may have; remove some, or keep several values in one`,
    { details: { app } },
  )
}

function checkValue(secret: SecretName, value: string): void {
  const bytes = Buffer.byteLength(value)
  if (bytes <= maxSecretBytes) return
  throw new BerthError(
    'secret.too-large',
    `set ${describe(secret)}: the value has ${bytes} bytes, at most ${maxSecretBytes} fit; put large files into a volume or the image`,
  )
}
