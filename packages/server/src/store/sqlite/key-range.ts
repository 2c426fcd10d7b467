/** Sorts after every key: U+10FFFF is the last code point, and keys are compared as UTF-8 bytes, so in code point order. */
const endOfKeys = '\u{10FFFF}\u{10FFFF}'

/** The first text after every key that begins with `prefix`. */
export function endOfPrefix(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  while (points.length > 0) {
    const last = points.pop() as number
    if (last < 0x10ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return endOfKeys
}

/** Order of UTF-8 bytes (JavaScript's own order of strings is that of UTF-16 units). */
export const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
