import { BerthError, type CloudRoute } from '@berth/core'
import type { CloudRouteTable } from './cloud-route-table.ts'

/** A table in memory: what the port's contract says, and nothing else. */
export class MemoryRouteTable implements CloudRouteTable {
  readonly entries = new Map<string, CloudRoute>()
  quota = 100

  async list(): Promise<readonly CloudRoute[]> {
    return [...this.entries.values()]
  }

  async put(route: Required<CloudRoute>): Promise<void> {
    const before = this.entries.get(route.destination)
    if (before !== undefined && before.owner !== route.owner) throw new BerthError('cloud-routes.foreign', 'of others')
    if (before === undefined && this.entries.size >= this.quota) throw new BerthError('cloud-routes.quota', 'full')
    this.entries.set(route.destination, route)
  }

  async remove({ destination, owner }: Pick<Required<CloudRoute>, 'destination' | 'owner'>): Promise<void> {
    const before = this.entries.get(destination)
    if (before !== undefined && before.owner !== owner) throw new BerthError('cloud-routes.foreign', 'of others')
    this.entries.delete(destination)
  }
}
