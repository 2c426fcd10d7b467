import type { ProbeSpec } from '@berth/core'

/** What a row of probe results amounts to. */
export interface Verdict {
  /** undefined: no opinion yet. */
  readonly passing: boolean | undefined
  /** In a row, up to the last result. */
  readonly successes: number
  readonly failures: number
}

export const verdictOf = (passing: boolean | undefined): Verdict => ({ passing, successes: 0, failures: 0 })

/** One result more. The opinion changes only after as many equal results in a row as the spec asks for. */
export function judge(verdict: Verdict, succeeded: boolean, spec: Pick<ProbeSpec, 'successes' | 'failures'>): Verdict {
  const successes = succeeded ? verdict.successes + 1 : 0
  const failures = succeeded ? 0 : verdict.failures + 1
  const convinced = succeeded ? successes >= spec.successes : failures >= spec.failures
  return { passing: convinced ? succeeded : verdict.passing, successes, failures }
}
