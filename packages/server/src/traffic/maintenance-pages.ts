import { BerthError, namesInstead } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Traffic } from '../controllers/traffic.ts'
import type { MaintenanceRecord, Records, RecordTransaction } from '../records/index.ts'

const maxPageBytes = 65_536

export interface MaintenanceChange {
  readonly on: boolean
  /** What is shown; null: the gateway's own page again; absent: as it was. */
  readonly page?: string | null | undefined
}

/** Which hosts' routes show the maintenance page. Gateways are told with the routes. */
export class MaintenancePages {
  readonly #records: Records
  readonly #traffic: Pick<Traffic, 'routes'>
  readonly #now: () => number

  constructor(records: Records, traffic: Pick<Traffic, 'routes'>, now: () => number = Date.now) {
    this.#records = records
    this.#traffic = traffic
    this.#now = now
  }

  all(): MaintenanceRecord[] {
    return this.#records.state.maintenance.all().sort((a, b) => (a.host < b.host ? -1 : 1))
  }

  /** Throws `route.not-found` for a host without a route (what it had goes all the same), `maintenance.page-too-large`. */
  async set(host: string, { on, page }: MaintenanceChange, context: CallContext): Promise<MaintenanceRecord> {
    if (on) this.#requireRoute(host)
    if (page != null && Buffer.byteLength(page) > maxPageBytes)
      throw new BerthError(
        'maintenance.page-too-large',
        `show a page for ${host}: it has ${Buffer.byteLength(page)} bytes, ${maxPageBytes} at most are shown; put images and scripts elsewhere`,
      )
    const decide = (tx: RecordTransaction): MaintenanceRecord => {
      const before = this.#records.state.maintenance.get(host)
      const shown = page === undefined ? before?.page : (page ?? undefined)
      if (before === undefined && !on && shown === undefined) this.#requireRoute(host)
      const record = {
        ...{ host, isOn: on, ...(shown === undefined ? {} : { page: shown }) },
        ...{ updatedAt: this.#now(), updatedBy: context.actor },
      }
      // To end what has not begun is no news.
      if (on === (before?.isOn ?? false) && shown === before?.page) return before ?? record
      if (!on && shown === undefined) tx.delete('maintenance', host)
      else tx.put('maintenance', record, { ifUnchanged: true })
      const message = on ? `${host} shows the maintenance page` : `${host} is served again`
      tx.event({ type: on ? 'route.maintenance-begun' : 'route.maintenance-ended', subject: {}, message })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  #requireRoute(host: string): void {
    const hosts = [...new Set(this.#traffic.routes().map((route) => route.host))].sort()
    if (hosts.includes(host)) return
    const hint = namesInstead(host, hosts)
    throw new BerthError('route.not-found', `no route has the host ${host}; ${hint}`, { details: { host } })
  }
}
