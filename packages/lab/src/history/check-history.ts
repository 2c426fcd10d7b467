import { checkGrants } from './check-grants.ts'
import { checkLeaders } from './check-leaders.ts'
import { checkOperations } from './check-operations.ts'
import { checkWatches } from './check-watches.ts'
import type { History, Violation } from './history.ts'

/** Everything in it that cannot have been in a consistent cluster, one sentence each. Nothing: it may have been so. */
export function checkHistory(history: History): Violation[] {
  return [...checkOperations(history), ...checkWatches(history), ...checkGrants(history), ...checkLeaders(history)]
}
