import { decideExpiry, type RegisteredService } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, RecordTransaction } from '../records/index.ts'

const actor = 'system:discovery'
/** Those of services that are gone are forgotten then. */
const maxHeard = 20_000

export interface CheckKeeperOptions {
  readonly records: Records
  readonly heard: Map<string, number>
  /** No other server hears of checks. */
  readonly isAlone: boolean
  readonly log: Logger
  readonly lookMs?: number
  readonly now?: () => number
}

/** Looks after checks whose time is up, while this server leads `upkeep`. */
export class CheckKeeper implements Disposable {
  readonly #options: CheckKeeperOptions
  readonly #now: () => number
  readonly #since: number
  readonly #timer: NodeJS.Timeout
  #isBusy = false

  constructor(options: CheckKeeperOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#since = this.#now()
    this.#timer = setInterval(() => void this.#look(), options.lookMs ?? 250)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const { records, heard, isAlone, log } = this.#options
    if (this.#isBusy || records.state.registeredServices.size === 0) return
    this.#isBusy = true
    for (const check of heard.size > maxHeard ? heard.keys() : [])
      if (records.state.registeredServices.byCheck(check) === undefined) heard.delete(check)
    try {
      const clock = {
        ...{ now: this.#now(), heardAt: (check: string) => heard.get(check) },
        ...{ unwritten: isAlone ? 0 : 0.5, listeningSince: this.#since },
      }
      for (const { id } of records.state.registeredServices.all()) {
        const service = records.state.registeredServices.get(id)
        if (service === undefined || decideExpiry(service, clock) === undefined) continue
        await records.commit(actor, (tx) => settle(tx, records.state.registeredServices.get(id), clock))
      }
    } catch (error) {
      log.warn({ err: error }, 'look after checks of registered services')
    } finally {
      this.#isBusy = false
    }
  }
}

function settle(
  tx: RecordTransaction,
  service: RegisteredService | undefined,
  clock: Parameters<typeof decideExpiry>[1],
): void {
  const decided = service && decideExpiry(service, clock)
  if (service === undefined || decided === undefined) return
  if ('service' in decided) {
    tx.put('registeredServices', decided.service, { ifUnchanged: true })
    return
  }
  tx.delete('registeredServices', service.id, { ifUnchanged: true })
  const message = `service ${service.name} (${service.id}) was deregistered: it has been critical for as long as it allowed`
  tx.event({ type: 'service.deregistered', subject: {}, message })
}
