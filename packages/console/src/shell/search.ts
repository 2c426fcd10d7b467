export interface Found {
  readonly kind: 'app' | 'pool' | 'instance' | 'node' | 'page'
  readonly label: string
  readonly to: string
}

const most = 12

/** All words must occur; what starts with the query comes first, then the shorter. */
export function search(targets: readonly Found[], query: string): readonly Found[] {
  const wanted = query.trim().toLowerCase()
  if (wanted === '') return targets.filter((each) => each.kind !== 'instance').slice(0, most)
  const words = wanted.split(/[\s/]+/).filter((word) => word !== '')
  const rank = ({ label }: Found): number => (label.toLowerCase().startsWith(wanted) ? 0 : 1)
  return targets
    .filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)))
    .toSorted((a, b) => rank(a) - rank(b) || a.label.length - b.label.length)
    .slice(0, most)
}
