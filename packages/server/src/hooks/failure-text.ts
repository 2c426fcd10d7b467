import { messageOf } from '@berth/core'

/** What fetch fails with says nothing; its cause does. */
export const failureText = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error)
