/** Everything a caller may want to know of a failure besides its sentence. Values must be free of secrets. */
export type ErrorDetails = Readonly<Record<string, unknown>>

export interface BerthErrorOptions {
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

/**
 * The one error class. `code` is stable and documented in `docs/errors.md` (`area.reason`, e.g. `release.not-found`); the message
 * says what was attempted on what, what went wrong, and what to do next.
 */
export class BerthError extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly details: ErrorDetails

  constructor(code: string, message: string, options: BerthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BerthError'
    this.code = code
    this.retryable = options.retryable ?? false
    this.details = options.details ?? {}
  }
}

/** The text of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
