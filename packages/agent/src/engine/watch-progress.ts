import type { Readable } from 'node:stream'
import { jsonLines } from './docker-stream.ts'
import { engineError, timeoutError } from './engine-error.ts'

/** A pull, push or load that makes no progress for this long has failed. */
export const stallMs = 120_000

interface Progress {
  readonly status?: string
  readonly stream?: string
  readonly error?: string
}

/** Reads what Docker says of a pull, push or load to its end. It reports failures inside a good answer. */
export async function watchProgress(
  action: string,
  response: Readable,
  signal: AbortSignal | undefined,
  onProgress?: (progress: Progress) => void,
): Promise<void> {
  let stalled = false
  const timer = setTimeout(() => {
    stalled = true
    response.destroy()
  }, stallMs)
  try {
    for await (const progress of jsonLines<Progress>(response)) {
      timer.refresh()
      if (progress.error !== undefined) throw engineError(action, 500, progress.error)
      onProgress?.(progress)
    }
    if (stalled) throw timeoutError(action, stallMs)
  } catch (error) {
    if (stalled) throw timeoutError(action, stallMs)
    throw signal?.aborted === true ? signal.reason : error
  } finally {
    clearTimeout(timer)
    response.destroy()
  }
}
