import type { MetricsView } from '@berth/api/instance-resources'
import { useEffect, useState } from 'react'
import { goToLogin, needsLogin } from '../live/session.tsx'
import { delay } from '../store/backoff.ts'
import { useClient } from '../store/context.tsx'
import { lastAt, mergeMetrics } from './sample-series.ts'

export interface MetricsQuery {
  readonly app?: string
  readonly pool?: string
  readonly instance?: string
  readonly node?: string
}

const everyMs = 2_000

/** The samples of the last `windowMs`; asks for new ones every two seconds, and not at all while the tab is hidden. */
export function useMetrics(
  query: MetricsQuery,
  windowMs: number,
): { readonly metrics: readonly MetricsView[]; readonly loading: boolean } {
  const client = useClient()
  const key = JSON.stringify(query)
  const [state, setState] = useState<{ metrics: readonly MetricsView[]; loading: boolean }>({
    metrics: [],
    loading: true,
  })
  useEffect(() => {
    const abort = new AbortController()
    const { signal } = abort
    setState({ metrics: [], loading: true })
    const run = async () => {
      let metrics: readonly MetricsView[] = []
      while (!signal.aborted) {
        const from = Date.now() - windowMs
        const sinceMs = String(Math.max(from, lastAt(metrics) ?? 0))
        try {
          const query = { ...JSON.parse(key), sinceMs }
          const answer = document.hidden ? { items: [] } : await client.call('getMetrics', { query }, { signal })
          metrics = mergeMetrics(metrics, answer.items, from)
          if (!signal.aborted) setState({ metrics, loading: false })
        } catch (error) {
          if (needsLogin(error)) return goToLogin()
          // The charts stop where they are; the banner above tells of a lost connection.
        }
        await delay(everyMs, signal).catch(() => undefined)
      }
    }
    void run()
    return () => abort.abort()
  }, [client, key, windowMs])
  return state
}
