import type { Build } from '../model/build.ts'

type Queued = Pick<Build, 'id' | 'app' | 'createdAt' | 'trigger'>

/**
 * The builds that wait, in the order in which they will begin as far as is known now. The app that builds least goes first, so that one
 * with many pushes holds up nobody; within it what a person waits for, then the oldest.
 */
export function buildOrder<T extends Queued>(queued: readonly T[], running: readonly Pick<Build, 'app'>[]): T[] {
  const busy = new Map<string, number>()
  for (const { app } of running) busy.set(app, (busy.get(app) ?? 0) + 1)
  const waiting = new Map<string, T[]>()
  for (const build of [...queued].sort(byUrgency)) {
    const own = waiting.get(build.app)
    if (own === undefined) waiting.set(build.app, [build])
    else own.push(build)
  }
  const order: T[] = []
  while (order.length < queued.length) {
    let first: T[] | undefined
    for (const own of waiting.values())
      if (own.length > 0 && (first === undefined || precedes(own, first, busy))) first = own
    const next = first?.shift()
    if (next === undefined) break
    busy.set(next.app, (busy.get(next.app) ?? 0) + 1)
    order.push(next)
  }
  return order
}

function precedes<T extends Queued>(a: readonly T[], b: readonly T[], busy: ReadonlyMap<string, number>): boolean {
  const [first, other] = [a[0], b[0]]
  if (first === undefined || other === undefined) return false
  const load = (busy.get(first.app) ?? 0) - (busy.get(other.app) ?? 0)
  return load === 0 ? byUrgency(first, other) < 0 : load < 0
}

function byUrgency(a: Queued, b: Queued): number {
  const byItself = Number(a.trigger !== undefined) - Number(b.trigger !== undefined)
  if (byItself !== 0) return byItself
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/**
 * Those of the waiting builds that a newer push of the same branch or tag makes pointless. What a person asked for, what runs already, and
 * other refs stay.
 */
export const supersededBy = <T extends Pick<Build, 'app' | 'state' | 'trigger'>>(
  builds: readonly T[],
  { app, ref }: { readonly app: string; readonly ref: string },
): T[] => builds.filter((build) => build.app === app && build.state === 'queued' && build.trigger?.ref === ref)
