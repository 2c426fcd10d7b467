import { createHash, randomBytes } from 'node:crypto'
import { BerthError } from '@berth/core'

const pattern = /^([A-Za-z0-9_-]{32})\.([0-9a-f]{64})$/

export interface JoinTokenText {
  /** What only the holder knows; the store keeps its hash. */
  readonly secret: string
  /** Of the authority's certificate: by it the joining machine knows the server before it trusts anything. */
  readonly fingerprint: string
}

export const createJoinSecret = (): string => randomBytes(24).toString('base64url')

export const formatJoinToken = (token: JoinTokenText): string => `${token.secret}.${token.fingerprint}`

export const hashJoinSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** Throws `join.invalid-token`. */
export function parseJoinToken(text: string): JoinTokenText {
  const match = pattern.exec(text.trim())
  if (match === null) {
    throw new BerthError(
      'join.invalid-token',
      'the text is no join token: copy the whole line that `berth node token` printed',
    )
  }
  return { secret: match[1] ?? '', fingerprint: match[2] ?? '' }
}
