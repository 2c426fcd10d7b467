/** What comes before the release that it announces: `1.0-rc1` < `1.0`; any other word comes after: `5.15-generic` > `5.15`. */
const before = new Set(['alpha', 'a', 'beta', 'b', 'pre', 'preview', 'rc', 'dev', 'snapshot', 'm'])

/**
 * Versions as people write them: numbers compare as numbers, part by part, a missing part counts as 0 (`1.2` equals `1.2.0`), a
 * leading `v` does not count. Negative, zero or positive like a comparator's answer.
 */
export function compareVersions(a: string, b: string): number {
  const left = parts(a)
  const right = parts(b)
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = comparePart(left[i] ?? '0', right[i] ?? '0')
    if (order !== 0) return order
  }
  return 0
}

const parts = (text: string): readonly string[] => text.replace(/^[vV](?=\d)/, '').match(/\d+|[A-Za-z]+/g) ?? []

function comparePart(a: string, b: string): number {
  const ranks = rank(a) - rank(b)
  if (ranks !== 0) return ranks
  if (!isNumber(a)) return a === b ? 0 : a < b ? -1 : 1
  // By length first: numbers of any size, never a float.
  const left = a.replace(/^0+/, '')
  const right = b.replace(/^0+/, '')
  if (left.length !== right.length) return left.length - right.length
  return left === right ? 0 : left < right ? -1 : 1
}

const isNumber = (part: string): boolean => part.charCodeAt(0) <= 57

/** A word against a number: announced versions before, others after 0 and before every larger number. */
function rank(part: string): number {
  if (isNumber(part)) return /^0+$/.test(part) ? 1 : 3
  return before.has(part.toLowerCase()) ? 0 : 2
}
