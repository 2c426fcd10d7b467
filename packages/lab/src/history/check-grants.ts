import type { Grant, History, Violation } from './history.ts'

const whole = 1_000

/** No core, address or port is given twice at once. */
export function* checkGrants({ grants }: History): Generator<Violation> {
  const held = new Map<string, Map<string, number>>()
  const parts = new Map<string, readonly string[]>()
  for (const together of byRevision(grants)) {
    const touched = new Set<string>()
    for (const grant of together) for (const name of take(grant, held, parts)) touched.add(name)
    for (const name of touched) yield* checkPart(name, held.get(name), together[0]?.revision)
  }
}

/** What one transaction does happens at once: what it takes from one it may give to another. */
function* byRevision(grants: readonly Grant[]): Generator<readonly Grant[]> {
  let together: Grant[] = []
  for (const grant of grants) {
    if (together.length > 0 && together[0]?.revision !== grant.revision) {
      yield together
      together = []
    }
    together.push(grant)
  }
  if (together.length > 0) yield together
}

function take(
  { holder, parts: wanted }: Grant,
  held: Map<string, Map<string, number>>,
  parts: Map<string, readonly string[]>,
): readonly string[] {
  for (const name of parts.get(holder) ?? []) held.get(name)?.delete(holder)
  for (const { name, milli } of wanted) {
    const holders = held.get(name) ?? new Map<string, number>()
    holders.set(holder, milli)
    held.set(name, holders)
  }
  const names = wanted.map(({ name }) => name)
  parts.set(holder, names)
  return names
}

function* checkPart(
  name: string,
  holders: ReadonlyMap<string, number> = new Map(),
  revision = 0,
): Generator<Violation> {
  const sum = [...holders.values()].reduce((total, milli) => total + milli, 0)
  if (sum <= whole) return
  const who = [...holders].map(([holder, milli]) => (milli === whole ? holder : `${holder} (${milli} of ${whole})`))
  yield { rule: 'given-twice', message: `${name} is given to ${who.join(' and to ')} at revision ${revision}` }
}
