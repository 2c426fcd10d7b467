import { BerthError } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { MetricSourceRecord, Records, State } from '../records/index.ts'

const name = 'prometheus'

/** The Prometheus that gates ask. There is one for the cluster. */
export class MetricSources {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  /** Throws `prometheus.not-set`. */
  require(): MetricSourceRecord {
    const found = this.#state.metricSources.get(name)
    if (found !== undefined) return found
    throw new BerthError('prometheus.not-set', 'no Prometheus is configured; set one: berth prometheus set URL')
  }

  /** Throws `prometheus.invalid`. */
  async set(url: string, context: CallContext): Promise<MetricSourceRecord> {
    const record = { name, url: checked(url), updatedAt: this.#now(), updatedBy: context.actor }
    await this.#records.commit(
      context.actor,
      (tx) => {
        tx.put('metricSources', record)
        tx.event({ type: 'prometheus.set', subject: {}, message: `gates ask the Prometheus at ${record.url}` })
      },
      context,
    )
    return record
  }

  async remove(context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        this.require()
        tx.delete('metricSources', name)
        tx.event({ type: 'prometheus.removed', subject: {}, message: 'gates ask no Prometheus any more' })
      },
      context,
    )
  }
}

function checked(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const refuse = (why: string): never => {
    throw new BerthError('prometheus.invalid', `Prometheus at ${JSON.stringify(text.slice(0, 200))}: ${why}`)
  }
  if (url === undefined || !/^https?:$/.test(url.protocol)) return refuse('write its URL, such as http://10.0.0.5:9090')
  // It would stand in the records, and in what viewers see.
  if (url.username !== '' || url.password !== '') return refuse('a URL must not hold a password')
  if (url.search !== '' || url.hash !== '') return refuse('a URL without ? and # is needed')
  return url.href
}
