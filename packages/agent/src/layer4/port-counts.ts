import type { PortCounter } from '@berth/core'
import { portRoutesTable } from '@berth/core'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Exec } from '../network/run-command.ts'

/** What came by one route since the agent counts. */
export interface PortCount extends PortCounter {
  /** Connections, or bytes. */
  readonly value: number
  readonly packets: number
}

/** Connections that are open now, by route and instance. */
export interface OpenCount {
  readonly route: string
  readonly instance: string
  readonly connections: number
}

interface Total {
  readonly packets: number
  readonly bytes: number
}
const none: Total = { packets: 0, bytes: 0 }

/** Adds up what the kernel's counters say: some begin anew with a table. */
export class PortCounts {
  #counters: ReadonlyMap<string, PortCounter> = new Map()
  readonly #totals = new Map<string, { readonly total: Total; readonly last: Total }>()

  get all(): readonly PortCount[] {
    return [...this.#counters.values()].map((counter) => {
      const { packets, bytes } = this.#totals.get(counter.name)?.total ?? none
      return { ...counter, value: counter.counts === 'connections' ? packets : bytes, packets }
    })
  }

  /** Of the table in force; without one nothing is added. */
  async read(exec: Exec, signal?: AbortSignal): Promise<void> {
    const { code, stdout } = await exec('nft', ['-j', 'list', 'counters', 'table', 'inet', portRoutesTable], { signal })
    if (code !== 0) return
    const { nftables = [] } = JSON.parse(stdout) as {
      readonly nftables?: readonly { readonly counter?: { name: string; packets: number; bytes: number } }[]
    }
    for (const { counter } of nftables) {
      if (counter === undefined || !this.#counters.has(counter.name)) continue
      const { name, packets, bytes } = counter
      const { total, last } = this.#totals.get(name) ?? { total: none, last: none }
      // Lower ones count from 0: somebody has put the table anew.
      const base = packets >= last.packets && bytes >= last.bytes ? last : none
      const sum = { packets: total.packets + packets - base.packets, bytes: total.bytes + bytes - base.bytes }
      this.#totals.set(name, { total: sum, last: { packets, bytes } })
    }
  }

  /** Another table is in force. Counters of the same name have gone on, or begun anew where the table could not be changed. */
  changed(counters: readonly PortCounter[]): void {
    const before = this.#counters
    this.#counters = new Map(counters.map((counter) => [counter.name, counter]))
    for (const [name, { last }] of this.#totals) {
      const counter = this.#counters.get(name)
      if (counter === undefined) this.#totals.delete(name)
      // Another instance has the address.
      else if (counter.instance !== before.get(name)?.instance) this.#totals.set(name, { total: none, last })
    }
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
      for (const { route, instance, counts: direction, value } of of.portCounts)
        if (direction !== 'connections' && instance === undefined) this.inc({ route, direction }, value)
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
