import { createHmac } from 'node:crypto'
import { BerthError, type Role } from '@berth/core'
import type { Identity } from '../auth/identity.ts'
import { sameHash } from '../auth/token-text.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

/** Says for whom a server asks another one. */
export const relayHeader = 'berth-relay'

/** Also what clocks of two servers may differ by. */
const lifetimeMs = 60_000

interface Claim {
  readonly actor: string
  readonly role: Role
  /** Server that asks. */
  readonly from: string
  readonly method: string
  readonly path: string
  readonly at: number
}

interface Call {
  readonly method: string
  readonly path: string
}

/**
 * A server's word for its caller, to another server of the cluster: signed with a key that servers alone have, good for one address and a
 * minute.
 */
export class RelayPass {
  readonly #key: Buffer
  readonly #now: () => number

  constructor(key: SecretKey, now: () => number = Date.now) {
    this.#key = key.derive('relay')
    this.#now = now
  }

  issue({ actor, role }: Identity, from: string, { method, path }: Call): string {
    const claim: Claim = { actor, role, from, method, path, at: this.#now() }
    const body = Buffer.from(JSON.stringify(claim)).toString('base64url')
    return `${body}.${this.#sign(body)}`
  }

  /** Throws `auth.invalid-relay`. */
  check(value: string, { method, path }: Call): Identity {
    const [body = '', signature = ''] = value.split('.')
    if (!sameHash(this.#sign(body), signature)) throw refused('its signature is not of this cluster')
    const claim = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claim
    if (claim.method !== method || claim.path !== path) throw refused('it was made for another call')
    if (Math.abs(this.#now() - claim.at) > lifetimeMs)
      throw refused(`it is older than ${lifetimeMs / 1000} s, or the clocks of the two servers differ by as much`)
    return { actor: claim.actor, role: claim.role, relayedBy: claim.from }
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#key).update(body).digest('base64url')
  }
}

const refused = (why: string): BerthError =>
  new BerthError('auth.invalid-relay', `a call that another server passes on is refused: ${why}`)
