import type { RouteLimit } from '../model/route-options.ts'

/**
 * Whether one more request may come at `nowMs`: the definition that the gateway's own is tested against (the generic cell rate algorithm, by which
 * a bucket of tokens is one number). `dueMs` is when the bucket will be full again, as it was told for the request before; undefined: there was none.
 */
export function admitRequest(
  { requests, periodMs, burst }: Pick<RouteLimit, 'requests' | 'periodMs' | 'burst'>,
  dueMs: number | undefined,
  nowMs: number,
): { readonly admitted: boolean; readonly dueMs: number } {
  const intervalMs = periodMs / requests
  const due = Math.max(dueMs ?? nowMs, nowMs)
  if (due - nowMs > burst * intervalMs + 1e-3) return { admitted: false, dueMs: due }
  return { admitted: true, dueMs: due + intervalMs }
}
