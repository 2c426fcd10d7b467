import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const randomChars = 48
const pattern = new RegExp(`^berth_(.{1,63})_([0-9a-f]{${randomChars}})$`)

export interface NewToken {
  readonly text: string
  readonly hash: string
}

/** `berth_<name>_<192 random bits in hex>`. The prefix lets secret scanners find leaked ones, the name tells which to revoke. */
export function createTokenText(name: string): NewToken {
  const text = `berth_${name}_${randomBytes(randomChars / 2).toString('hex')}`
  return { text, hash: hashToken(text) }
}

/** The text has 192 random bits, so a plain hash is enough: there is nothing to guess. */
export const hashToken = (text: string): string => createHash('sha256').update(text).digest('hex')

export const nameInToken = (text: string): string | undefined => pattern.exec(text)?.[1]

export function sameHash(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
