import type { TrafficView } from '@berth/api/traffic-resources'
import { useEffect, useState } from 'react'
import { goToLogin, needsLogin } from '../live/session.tsx'
import { delay } from '../store/backoff.ts'
import { useClient } from '../store/context.tsx'

export type RouteTraffic = TrafficView['routes'][number]

const everyMs = 2_000

/** How much goes to each route now, by its address; asked for every two seconds, and not at all while the tab is hidden. */
export function useTraffic(): ReadonlyMap<string, RouteTraffic> {
  const client = useClient()
  const [routes, setRoutes] = useState<ReadonlyMap<string, RouteTraffic>>(new Map())
  useEffect(() => {
    const abort = new AbortController()
    const { signal } = abort
    const run = async () => {
      while (!signal.aborted) {
        try {
          if (!document.hidden) {
            const answer = await client.call('getTraffic', {}, { signal })
            setRoutes(new Map(answer.routes.map((each) => [each.url, each])))
          }
        } catch (error) {
          if (needsLogin(error)) return goToLogin()
          // The numbers stay as they are; the banner above tells of a lost connection.
        }
        await delay(everyMs, signal).catch(() => undefined)
      }
    }
    void run()
    return () => abort.abort()
  }, [client])
  return routes
}
