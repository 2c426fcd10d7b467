import type { Member, Route } from './route-table.ts'

/** Longest schedule; weights that would need more are rounded to this many turns. */
const maxTurns = 4096

/** All members of a route, target by target: a schedule's numbers are places in this list. */
export function membersOf(route: Pick<Route, 'targets'>): Member[] {
  return route.targets.flatMap((target) => target.members)
}

/** Draining members serve only while no member is active; with `allowEmpty` they are left alone even then. */
export function canServe(route: Pick<Route, 'targets' | 'allowEmpty'>): boolean {
  return usableShares(route).some((share) => share > 0)
}

/**
 * The order in which requests go to a route's members, to be repeated for ever: smooth weighted round robin as in nginx's own
 * upstreams, so that a member of weight 2 among others gets its turns apart and not in a row. Each entry is a place in
 * {@link membersOf}. Empty when no member may serve.
 */
export function scheduleRoute(route: Pick<Route, 'targets' | 'allowEmpty'>): number[] {
  const shares = usableShares(route)
  const used = shares.flatMap((share, place) => (share > 0 ? [place] : []))
  if (used.length === 0) return []
  const turns = turnsOf(used.map((place) => shares[place]!))
  if (turns.every((count) => count === 1)) return used
  return interleave(turns).map((index) => used[index]!)
}

/** The share of each member in its route, 0 for those that get nothing. */
function usableShares(route: Pick<Route, 'targets' | 'allowEmpty'>): number[] {
  const active = sharesOf(route, 'active')
  if (route.allowEmpty === true || active.some((share) => share > 0)) return active
  return sharesOf(route, 'draining')
}

function sharesOf(route: Pick<Route, 'targets'>, state: Member['state']): number[] {
  return route.targets.flatMap((target) => {
    const weights = target.members.map((member) => (member.state === state ? member.weight : 0))
    const sum = weights.reduce((total, weight) => total + weight, 0)
    return weights.map((weight) => (sum === 0 ? 0 : (target.weight * weight) / sum))
  })
}

/** Whole numbers of turns in the proportion of the shares: exact while they fit, else rounded, and at least 1 each. */
function turnsOf(shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0)
  const smallest = Math.min(...shares)
  for (let factor = 1; (factor * total) / smallest <= maxTurns; factor++) {
    const turns = shares.map((share) => (share / smallest) * factor)
    if (turns.every((turn) => Math.abs(turn - Math.round(turn)) < 1e-6)) return turns.map(Math.round)
  }
  return shares.map((share) => Math.max(1, Math.round((share / total) * maxTurns)))
}

function interleave(turns: readonly number[]): number[] {
  const total = turns.reduce((sum, count) => sum + count, 0)
  const credit = turns.map(() => 0)
  return Array.from({ length: total }, () => {
    let best = 0
    for (let index = 0; index < turns.length; index++) {
      credit[index]! += turns[index]!
      if (credit[index]! > credit[best]!) best = index
    }
    credit[best]! -= total
    return best
  })
}
