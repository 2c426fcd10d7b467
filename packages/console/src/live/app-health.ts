import type { AppView, PoolView } from '@berth/api/app-resources'
import { poolState } from './states.ts'

const order: Readonly<Record<string, number>> = { down: 0, degraded: 1, rollout: 2, removing: 2 }

const rankOf = (app: AppView): number => Math.min(3, ...app.pools.map((pool) => order[poolState(pool).label] ?? 3))

/** What is wrong first, then what moves, then by name. */
export const worstApp = (a: AppView, b: AppView): number => rankOf(a) - rankOf(b) || a.name.localeCompare(b.name)

/** Ready and wanted instances of a pool's services. */
export function readiness({ entrypoints }: PoolView): { readonly ready: number; readonly wanted: number } {
  const services = entrypoints.filter((each) => each.type === 'service')
  const sum = (read: (each: PoolView['entrypoints'][number]) => number): number =>
    services.reduce((total, each) => total + read(each), 0)
  return { ready: sum((each) => Math.min(each.ready, each.wanted)), wanted: sum((each) => each.wanted) }
}
