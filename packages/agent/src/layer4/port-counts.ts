import type { PortCounter } from '@berth/core'
import { portRoutesTable } from '@berth/core'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Exec } from '../network/run-command.ts'

/** What came by one route since the agent counts. */
export interface PortCount extends PortCounter {
  readonly value: number
}

/** Connections that are open now, by route and instance. */
export interface OpenCount {
  readonly route: string
  readonly instance: string
  readonly connections: number
}

/** Adds up what the kernel's counters say: they begin anew with every table. */
export class PortCounts {
  #counters: readonly PortCounter[] = []
  readonly #totals = new Map<string, { total: number; last: number }>()

  get all(): readonly PortCount[] {
    return this.#counters.map((counter) => ({ ...counter, value: this.#totals.get(counter.name)?.total ?? 0 }))
  }

  /** Of the table in force; without one nothing is added. */
  async read(exec: Exec, signal?: AbortSignal): Promise<void> {
    const { code, stdout } = await exec('nft', ['-j', 'list', 'counters', 'table', 'inet', portRoutesTable], { signal })
    if (code !== 0) return
    const { nftables = [] } = JSON.parse(stdout) as {
      readonly nftables?: readonly { readonly counter?: { name: string; packets: number; bytes: number } }[]
    }
    for (const { counter } of nftables) {
      const known = this.#counters.find(({ name }) => name === counter?.name)
      if (counter === undefined || known === undefined) continue
      const value = known.counts === 'connections' ? counter.packets : counter.bytes
      const before = this.#totals.get(known.name) ?? { total: 0, last: 0 }
      // A lower one counts from 0: somebody has put the table anew.
      const more = value >= before.last ? value - before.last : value
      this.#totals.set(known.name, { total: before.total + more, last: value })
    }
  }

  /** Another table is in force, whose counters begin at 0. */
  changed(counters: readonly PortCounter[]): void {
    this.#counters = counters
    const names = new Set(counters.map(({ name }) => name))
    for (const [name, { total }] of this.#totals)
      if (names.has(name)) this.#totals.set(name, { total, last: 0 })
      else this.#totals.delete(name)
  }
}

/** Adds them to the node's metrics: `berth_gateway_connections_total`, `…_connection_bytes_total`, `…_open_connections`. */
export function registerPortMetrics(
  registry: Registry,
  of: { readonly portCounts: readonly PortCount[]; readonly openConnections: readonly OpenCount[] },
): void {
  const registers = [registry]
  new Counter({
    name: 'berth_gateway_connections_total',
    help: 'Connections, and conversations by UDP, that routes of ports gave to instances.',
    labelNames: ['route', 'pool', 'instance'],
    registers,
    collect() {
      this.reset()
      for (const { route, pool = '', instance = '', counts: what, value } of of.portCounts)
        if (what === 'connections') this.inc({ route, pool, instance }, value)
    },
  })
  new Counter({
    name: 'berth_gateway_connection_bytes_total',
    help: 'Bytes of clients (in) and to them (out) by routes of ports, with their headers.',
    labelNames: ['route', 'direction'],
    registers,
    collect() {
      this.reset()
      for (const { route, counts: direction, value } of of.portCounts)
        if (direction !== 'connections') this.inc({ route, direction }, value)
    },
  })
  new Gauge({
    name: 'berth_gateway_open_connections',
    help: 'Connections of routes of ports that are open.',
    labelNames: ['route', 'instance'],
    registers,
    collect() {
      this.reset()
      for (const { route, instance, connections } of of.openConnections) this.set({ route, instance }, connections)
    },
  })
}
