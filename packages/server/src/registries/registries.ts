import { BerthError, messageOf, readRegistryHost, registryOf } from '@berth/core'
import type { Logger } from 'pino'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, RegistryRecord, State } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

export interface RegistriesOptions {
  readonly records: Records
  readonly key: SecretKey
  readonly log: Logger
  readonly now?: () => number
}

export interface RegistryLogin {
  readonly host: string
  readonly username: string
  readonly password: string
}

const maxLength = 8_192

/**
 * Logins at image registries, sealed at rest, for the whole cluster. A password leaves this class only with the order to pull an image
 * of that very host ({@link loginFor}); no call of the API returns one.
 */
export class Registries {
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #log: Logger
  readonly #now: () => number

  constructor(options: RegistriesOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#key = options.key.derive('registries')
    this.#log = options.log
    this.#now = options.now ?? Date.now
  }

  /** Opens one password of the store, so that a server with the wrong key file says so at its start. Throws `secrets.cannot-open`. */
  verifyKey(): void {
    for (const record of this.#state.registries.values()) {
      this.#open(record)
      return
    }
  }

  /** Throws `registry.invalid-host`, `registry.invalid-login`. */
  async set(login: RegistryLogin, context: CallContext): Promise<RegistryRecord> {
    const host = readRegistryHost(login.host)
    const { username, password } = checkLogin(host, login)
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        const version = (this.#state.registries.get(host)?.version ?? 0) + 1
        const sealed = seal(this.#key, boundTo(host, username, version), password)
        const record: RegistryRecord = {
          ...{ host, username, version, sealed },
          ...{ updatedAt: this.#now(), updatedBy: context.actor },
        }
        tx.put('registries', record, { ifUnchanged: true })
        tx.event({ type: 'registry.set', subject: {}, message: `login ${username} for images of ${host} set` })
        return record
      },
      context,
    )
    return value
  }

  /** Throws `registry.not-found`. */
  async remove(host: string, context: CallContext): Promise<void> {
    const name = readRegistryHost(host)
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (!this.#state.registries.has(name)) {
          throw new BerthError('registry.not-found', `there is no login for ${name}; see: berth registry ls`)
        }
        tx.delete('registries', name, { ifUnchanged: true })
        tx.event({ type: 'registry.removed', subject: {}, message: `login for images of ${name} removed` })
      },
      context,
    )
  }

  /** For the pull of an image. One that does not open is logged and left out: the registry then says that it needs one. */
  loginFor(image: string): RegistryLogin | undefined {
    const record = this.#state.registries.get(registryOf(image))
    if (record === undefined) return undefined
    const { host, username } = record
    try {
      return { host, username, password: this.#open(record) }
    } catch (error) {
      this.#log.error({ err: error, registry: host }, messageOf(error))
      return undefined
    }
  }

  #open({ host, username, version, sealed }: RegistryRecord): string {
    return unseal(this.#key, boundTo(host, username, version), sealed)
  }
}

/** The user is authenticated with it: a password is never sent under another name. */
const boundTo = (host: string, username: string, version: number): readonly string[] => [
  'registry',
  host,
  username,
  String(version),
]

function checkLogin(host: string, { username, password }: RegistryLogin): Pick<RegistryLogin, 'username' | 'password'> {
  const invalid = (why: string): BerthError => new BerthError('registry.invalid-login', `log in at ${host}: ${why}`)
  if (username === '' || username.length > 255) throw invalid('a user name has 1 to 255 characters')
  // Basic authentication ends the name there.
  if (/[:\p{Cc}]/u.test(username)) throw invalid('a user name holds no colon and no control characters')
  if (password === '' || password.length > maxLength) throw invalid(`a password has 1 to ${maxLength} characters`)
  return { username, password }
}
