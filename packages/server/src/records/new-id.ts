import { randomBytes } from 'node:crypto'

const alphabet = '23456789abcdefghjkmnpqrstuvwxyz'

/** `r-k3v9x2mq`: short enough to type, without letters that look alike; 31^8 ≈ 8.5 × 10^11 of them. */
export function newId(prefix: string): string {
  // 248 is the largest multiple of 31 in a byte: above it the remainder would favour some letters.
  const letters: string[] = []
  while (letters.length < 8) {
    for (const byte of randomBytes(16)) if (byte < 248 && letters.length < 8) letters.push(alphabet[byte % 31] ?? '')
  }
  return `${prefix}-${letters.join('')}`
}
