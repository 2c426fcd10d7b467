import type { State, StateChange } from '../records/index.ts'

/** Resolves with the next change that concerns the caller, or at the signal. */
export function nextChange(
  state: State,
  concerns: (change: StateChange) => boolean,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const stop = state.changes.subscribe((change) => {
      if (concerns(change)) done()
    })
    if (signal.aborted) done()
    else signal.addEventListener('abort', done, { once: true })
  })
}
