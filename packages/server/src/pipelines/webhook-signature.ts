import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Which of the three forms a delivery is signed in. */
export type Forge = 'github' | 'gitlab' | 'gitea'

interface Signed {
  readonly forge: Forge
  /** What it should be for this secret and body. */
  readonly expected: (secret: string, body: Buffer) => string
  readonly given: string
}

const hmac = (secret: string, body: Buffer): string => createHmac('sha256', secret).update(body).digest('hex')

/** Gitea sends GitHub's header as well, so its own is looked for first. */
function signed(headers: IncomingHttpHeaders): Signed | undefined {
  const gitea = one(headers, 'x-gitea-signature')
  if (gitea !== undefined) return { forge: 'gitea', expected: hmac, given: gitea.toLowerCase() }
  const github = one(headers, 'x-hub-signature-256')
  if (github !== undefined)
    return {
      forge: 'github',
      expected: (secret, body) => `sha256=${hmac(secret, body)}`,
      given: github.toLowerCase(),
    }
  const gitlab = one(headers, 'x-gitlab-token')
  if (gitlab !== undefined) return { forge: 'gitlab', expected: (secret) => secret, given: gitlab }
  return undefined
}

function one(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Who has sent it, if the signature is right. Takes as long for a wrong one as for a right one, and without a secret as with one. */
export function verifySignature(
  headers: IncomingHttpHeaders,
  body: Buffer,
  secret: string | undefined,
): Forge | undefined {
  const found = signed(headers)
  if (found === undefined) return undefined
  const isRight = isEqual(found.expected(secret ?? 'nobody has this one', body), found.given)
  return isRight && secret !== undefined ? found.forge : undefined
}

/** Digests of equal length are compared, so that not even the length of the secret shows in the time. */
const isEqual = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
