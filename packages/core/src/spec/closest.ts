/** A hint is not worth more work than this. */
const maxCandidates = 200

/** The candidate that `word` was most likely meant to be; undefined when none is near. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 40) return undefined
  const wanted = fold(word)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  let left = maxCandidates
  for (const candidate of candidates) {
    left -= 1
    if (left < 0) break
    const distance = editDistance(wanted, fold(candidate), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** What to say of a word that is no name there is: the name that was likely meant, or which there are, the first `most` of them. */
export function namesInstead(word: string, names: readonly string[], most = 20): string {
  const near = closest(word, names)
  return near === undefined ? `there are: ${names.slice(0, most).join(', ') || 'none'}` : `did you mean ${near}?`
}

/** `max_files`, `max-files` and `maxFiles` are the same word. */
const fold = (word: string): string => word.toLowerCase().replace(/[-_. ]/g, '')

/** Restricted Damerau–Levenshtein distance (a swap of neighbours counts once); `limit` when it is that or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      let best = Math.min(current[column - 1]! + 1, previous[column]! + 1, previous[column - 1]! + cost)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        best = Math.min(best, beforePrevious[column - 2]! + 1)
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return Math.min(previous[b.length]!, limit)
}
