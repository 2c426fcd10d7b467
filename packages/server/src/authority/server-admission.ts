import { BerthError, isName, nameRule } from '@berth/core'
import { FailureLimit } from '../auth/failure-limit.ts'
import { sameHash } from '../auth/token-text.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { JoinToken, Records } from '../records/index.ts'
import type { Authority } from './authority.ts'
import { createJoinSecret, formatJoinToken, hashJoinSecret, parseJoinToken } from './join-token.ts'

export interface ServerAdmissionOptions {
  readonly records: Records
  readonly authority: Pick<Authority, 'fingerprint'>
  readonly now?: () => number
}

export interface ServerJoinRequest {
  readonly token: string
  readonly name: string
  /** The address that asks; guesses are counted by it. */
  readonly from: string
}

/** Lets servers in: a one-time token for the cluster's key. The token names the authority by which the server that gives it is known. */
export class ServerAdmission {
  readonly #options: ServerAdmissionOptions
  readonly #now: () => number
  readonly #limit: FailureLimit

  constructor(options: ServerAdmissionOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#limit = new FailureLimit({
      refusal: { code: 'join.too-many-failures', what: 'too many attempts to join with a wrong token' },
      ...{ perName: 5, perAddress: 5, overall: 50, now: this.#now },
    })
  }

  async createToken(
    ttlMs: number,
    context: CallContext,
  ): Promise<{ readonly token: string; readonly expiresAt: number }> {
    const { records, authority } = this.#options
    const secret = createJoinSecret()
    const createdAt = this.#now()
    const expiresAt = createdAt + ttlMs
    const message = `token for a server until ${new Date(expiresAt).toISOString()}`
    await records.commit(
      context.actor,
      (tx) => {
        const hash = hashJoinSecret(secret)
        tx.create('joinTokens', { hash, createdAt, createdBy: context.actor, expiresAt, purpose: 'server' })
        tx.event({ type: 'server.token-created', subject: {}, message })
      },
      context,
    )
    return { token: formatJoinToken({ secret, fingerprint: authority.fingerprint }), expiresAt }
  }

  /** Uses the token up. Throws `join.invalid-token`, `join.wrong-cluster`, `join.token-expired`, `join.token-used`, `join.too-many-failures`. */
  async admit({ token, name, from }: ServerJoinRequest): Promise<void> {
    if (!isName(name))
      throw new BerthError('name.invalid', `${JSON.stringify(name)} cannot name a server: use ${nameRule}`)
    this.#limit.check(from, '')
    try {
      await this.#options.records.commit(`server:${name}`, (tx) => {
        tx.put('joinTokens', { ...this.#usable(token), usedBy: name }, { ifUnchanged: true })
        const message = `server ${name} at ${from} was given the cluster's key`
        tx.event({ type: 'server.joined', subject: {}, message })
      })
    } catch (error) {
      this.#limit.failed(from, '')
      throw error
    }
  }

  #usable(text: string): JoinToken {
    const { secret, fingerprint } = parseJoinToken(text)
    const remedy = 'make a new one with: berth server token'
    if (fingerprint !== this.#options.authority.fingerprint)
      throw new BerthError('join.wrong-cluster', `the token belongs to another cluster; ${remedy}`)
    const token = this.#find(hashJoinSecret(secret))
    if (token?.purpose !== 'server')
      throw new BerthError('join.invalid-token', `the token is not known as one for servers; ${remedy}`)
    if (token.usedBy !== undefined)
      throw new BerthError('join.token-used', `the token was used by server ${token.usedBy} already; ${remedy}`)
    if (this.#now() < token.expiresAt) return token
    throw new BerthError(
      'join.token-expired',
      `the token expired on ${new Date(token.expiresAt).toISOString()}; ${remedy}`,
    )
  }

  /** Compares with every token in full: how long it takes tells nothing about any of them. */
  #find(hash: string): JoinToken | undefined {
    let found: JoinToken | undefined
    for (const token of this.#options.records.state.joinTokens.values()) if (sameHash(token.hash, hash)) found = token
    return found
  }
}
