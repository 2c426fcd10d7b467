/** SQLite sorts any blob after every text. */
export const endOfKeys = new Uint8Array(1)

/** The first thing after every key that begins with `prefix`: keys are compared as UTF-8 bytes, so in code point order. */
export function endOfPrefix(prefix: string): string | Uint8Array {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  while (points.length > 0) {
    const last = points.pop() as number
    if (last < 0x10ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return endOfKeys
}

/** Order of UTF-8 bytes (JavaScript's own order of strings is that of UTF-16 units). */
export const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
