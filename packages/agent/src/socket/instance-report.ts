/** What a run of an instance has said of itself. A new run has said nothing. */
export interface InstanceReport {
  /** Counts where its readiness is `report`. Absent: it has not said anything yet. */
  readonly readiness?: { readonly ready: boolean; readonly message?: string }
  /** It wants no traffic for now, however its probes find it. Absent: it is not in maintenance. */
  readonly maintenance?: { readonly message?: string }
}

export const noReport: InstanceReport = {}

/** Why it gets no traffic for what it has said; undefined: it has said nothing against it. */
export function reasonAgainst({ readiness, maintenance }: InstanceReport, isAsked: boolean): string | undefined {
  if (maintenance !== undefined) return withMessage('it says that it is in maintenance', maintenance.message)
  if (!isAsked || readiness?.ready === true) return undefined
  if (readiness === undefined) return 'it has not said at its socket yet that it is ready'
  return withMessage('it says that it is not ready', readiness.message)
}

const withMessage = (sentence: string, message: string | undefined): string =>
  message === undefined ? sentence : `${sentence}: ${message}`
