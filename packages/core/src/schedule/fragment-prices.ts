/** What fragments of each size (in pieces) are worth as parts of a shared core, and what a remainder can still be made worth. */
export interface FragmentPrices {
  /** Index: pieces of a fragment. */
  readonly of: Float64Array
  /** Index: pieces left on a core. The whole core is worth 1. */
  readonly ofRest: Float64Array
}

/** A core of more pieces is filled by fragments of so many sizes that something fits nearly always. */
export const mostPricedPieces = 40

const rounds = 200

/**
 * How fragments share cores is the cutting stock problem: with the demand at hand some sizes are scarce complements of others, and a
 * core completed from the wrong ones leaves others that fit nowhere. The dual prices of its linear program say which: maximize the worth
 * of all fragments while no core can be filled with more than 1 (Gilmore and Gomory, A linear programming approach to the
 * cutting-stock problem, 1961). A subgradient ascent comes near enough, its separation being a knapsack over at most 40 pieces.
 */
export function fragmentPrices(counts: ArrayLike<number>, pieces: number): FragmentPrices {
  const all = sum(counts)
  let prices = Float64Array.from({ length: pieces }, (_, size) => size / pieces)
  let best = prices
  let bestWorth = 0
  for (let round = 0; round < rounds && all > 0; round++) {
    const rest = worthOfRests(prices, pieces)
    const scaled = prices.map((price) => price / rest[pieces]!)
    const worth = scaled.reduce((total, price, size) => total + price * (counts[size] ?? 0), 0)
    if (worth > bestWorth) {
      bestWorth = worth
      best = scaled
    }
    const pattern = bestPattern(prices, rest, pieces)
    const step = 0.06 / (1 + round / 20)
    prices = scaled.map((price, size) =>
      Math.max(0, price + (step * ((counts[size] ?? 0) - worth * pattern[size]!)) / all),
    )
  }
  return { of: best, ofRest: worthOfRests(best, pieces, counts) }
}

const sum = (counts: ArrayLike<number>): number => Array.from(counts).reduce((total, count) => total + count, 0)

/** The knapsack: the most that so many pieces can be filled with; `counts`: only of sizes that there are. */
function worthOfRests(prices: Float64Array, pieces: number, counts?: ArrayLike<number>): Float64Array {
  const worth = new Float64Array(pieces + 1)
  for (let left = 1; left <= pieces; left++) {
    let most = worth[left - 1]!
    for (let size = 1; size <= left && size < pieces; size++) {
      if (counts !== undefined && (counts[size] ?? 0) <= 0) continue
      most = Math.max(most, prices[size]! + worth[left - size]!)
    }
    worth[left] = most
  }
  return worth
}

function bestPattern(prices: Float64Array, rest: Float64Array, pieces: number): Float64Array {
  const pattern = new Float64Array(pieces)
  for (let left = pieces; left > 0; ) {
    let used = 0
    for (let size = Math.min(pieces - 1, left); size > 0 && used === 0; size--)
      if (Math.abs(rest[left]! - prices[size]! - rest[left - size]!) < 1e-12) used = size
    if (used === 0) left--
    else {
      pattern[used] = pattern[used]! + 1
      left -= used
    }
  }
  return pattern
}
