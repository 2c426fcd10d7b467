import type { TrafficView } from '@berth/api/traffic-resources'
import { useMemo } from 'react'
import { usePolled } from '../live/use-polled.ts'

export type RouteTraffic = TrafficView['routes'][number]
export type InstanceTraffic = TrafficView['instances'][number]

export interface Traffic {
  /** By the address of the route. */
  readonly routes: ReadonlyMap<string, RouteTraffic>
  /** By id. */
  readonly instances: ReadonlyMap<string, InstanceTraffic>
}

export interface TrafficQuestion {
  readonly app?: string | undefined
  readonly pool?: string | undefined
  /** Said only where somebody looks at them: they may be thousands, every two seconds. */
  readonly instances?: boolean
}

const everyMs = 2_000

/**
 * How much goes to each route now, and to each instance; asked for every two seconds, and not at all while the tab is hidden. Numbers stay
 * as they are when a question fails; the banner above tells of a lost connection. Without a question nothing is asked.
 */
export function useTraffic(question: TrafficQuestion | undefined): Traffic {
  const { value } = usePolled('getTraffic', question && { query: queryOf(question) }, everyMs)
  return useMemo(
    () => ({
      routes: new Map(value?.routes.map((each) => [each.url, each])),
      instances: new Map(value?.instances.map((each) => [each.instance, each])),
    }),
    [value],
  )
}

const queryOf = ({ app, pool, instances = false }: TrafficQuestion) => ({
  ...(app === undefined ? {} : { app }),
  ...(pool === undefined ? {} : { pool }),
  ...(instances ? {} : { instances: 'false' }),
})
