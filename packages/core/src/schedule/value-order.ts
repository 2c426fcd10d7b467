/**
 * In which order values of a label are tried for the next instance: first the one whose count is furthest below its share of the new
 * total. Over a batch this is the method of largest remainders, to within one instance at every moment.
 */
export function valueOrder(
  counts: Int32Array,
  values: readonly string[],
  shares: Readonly<Record<string, number>> | undefined,
): number[] {
  const weights = values.map((value) => (shares === undefined ? 1 : (shares[value] ?? 0)))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const total = 1 + weights.reduce((all, weight, index) => all + (weight > 0 ? counts[index]! : 0), 0)
  const deficit = (index: number): number => (weights[index]! * total) / sum - counts[index]!
  return values
    .map((_, index) => index)
    .filter((index) => weights[index]! > 0)
    .sort((a, b) => deficit(b) - deficit(a) || a - b)
}
