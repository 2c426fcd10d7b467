import { BerthError, isSecretName, type Role, secretNameRule, type Token } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, State } from '../records/index.ts'
import type { Identity } from './identity.ts'
import { createTokenText, hashToken, nameInToken, sameHash } from './token-text.ts'

export interface CreateToken {
  readonly name: string
  readonly owner: string
  readonly role: Role
  readonly ttlMs?: number
}

const maxOwnerLength = 200

/** Named access tokens: kept as hashes, checked on every call, so that a revoked one is refused at once. */
export class Tokens {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  /** The text is in the answer and nowhere else. */
  async create(input: CreateToken, context: CallContext): Promise<{ readonly record: Token; readonly text: string }> {
    checkToken(input)
    const { text, hash } = createTokenText(input.name)
    const createdAt = this.#now()
    const { name, owner, role, ttlMs } = input
    const base = { name, owner, role, hash, createdAt, createdBy: context.actor }
    const record: Token = ttlMs === undefined ? base : { ...base, expiresAt: createdAt + ttlMs }
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (this.#state.tokens.has(name)) {
          throw new BerthError(
            'token.exists',
            `there is a token ${name} already; choose another name, or revoke it first`,
          )
        }
        tx.create('tokens', record)
        tx.event({ type: 'token.created', subject: {}, message: `token ${name} for ${owner}, role ${role}` })
      },
      context,
    )
    return { record, text }
  }

  async remove(name: string, context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (!this.#state.tokens.has(name)) throw new BerthError('token.not-found', `there is no token ${name}`)
        tx.delete('tokens', name, { ifUnchanged: true })
        tx.event({ type: 'token.revoked', subject: {}, message: `token ${name} revoked` })
      },
      context,
    )
  }

  /** Throws `auth.invalid-token` or `auth.token-expired`; neither tells which part was wrong. */
  authenticate(text: string): Token {
    const token = this.#state.tokens.get(nameInToken(text) ?? '')
    // An unknown name costs the same work as a known one.
    const matches = sameHash(hashToken(text), token?.hash ?? '0'.repeat(64))
    if (token === undefined || !matches) {
      throw new BerthError('auth.invalid-token', 'the token is not valid: it is mistyped, or it was revoked')
    }
    return this.#unexpired(token)
  }

  /** The token that a session was opened with, if it is still the same one and good. */
  find(name: string, hash: string): Token {
    const token = this.#state.tokens.get(name)
    if (token === undefined || !sameHash(token.hash, hash)) {
      throw new BerthError('auth.invalid-session', `the token ${name} of this session was revoked; log in again`)
    }
    return this.#unexpired(token)
  }

  #unexpired(token: Token): Token {
    if (token.expiresAt === undefined || this.#now() < token.expiresAt) return token
    throw new BerthError(
      'auth.token-expired',
      `the token ${token.name} expired on ${new Date(token.expiresAt).toISOString()}; ask an admin for a new one`,
    )
  }
}

export const identityOf = (token: Token): Identity => ({ actor: `token:${token.name}`, role: token.role })

function checkToken({ name, owner }: CreateToken): void {
  if (!isSecretName(name)) {
    throw new BerthError('name.invalid', `${JSON.stringify(name)} cannot name a token: use ${secretNameRule}`)
  }
  if (owner.trim() === '' || owner.length > maxOwnerLength) {
    throw new BerthError(
      'token.invalid-owner',
      `a token's owner is a person or a system, in 1 to ${maxOwnerLength} characters`,
    )
  }
}
