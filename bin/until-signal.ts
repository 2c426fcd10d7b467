/** Aborts at the first SIGTERM or SIGINT. */
export function untilSignal(): AbortSignal {
  const abort = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => abort.abort())
  return abort.signal
}
