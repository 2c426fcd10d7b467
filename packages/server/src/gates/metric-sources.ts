import { X509Certificate } from 'node:crypto'
import { BerthError, messageOf } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { MetricSourceRecord, Records, State } from '../records/index.ts'
import { BoundSecrets } from '../secrets/bound-secrets.ts'
import type { SecretKey } from '../secrets/secret-key.ts'
import { type QueryAnswer, queryPrometheus } from './prometheus.ts'

const name = 'prometheus'
const mostCaLength = 100_000

export interface MetricSourceWish {
  readonly url: string
  /** Absent: as before; empty: none, and the secret is a token. */
  readonly user?: string | undefined
  /** Absent: as before, for the same URL and user; empty: none. */
  readonly secret?: string | undefined
  /** PEM: who has signed its certificate. Absent: as before; empty: whom the machine trusts. */
  readonly ca?: string | undefined
}

/** The Prometheus that gates ask. There is one for the cluster. Its secret is sealed at rest, and leaves this class only to ask. */
export class MetricSources {
  readonly #records: Records
  readonly #state: State
  readonly #secrets: BoundSecrets<MetricSourceRecord>
  readonly #now: () => number

  constructor(records: Records, key: SecretKey, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    // Another URL never gets it, nor does it go with another name.
    this.#secrets = new BoundSecrets(key, 'metric-sources', ({ url, user = '' }) => [name, url, user])
    this.#now = now
  }

  /** Throws `prometheus.not-set`. */
  require(): MetricSourceRecord {
    const found = this.#state.metricSources.get(name)
    if (found !== undefined) return found
    throw new BerthError('prometheus.not-set', 'no Prometheus is configured; set one: berth prometheus set URL')
  }

  /** Asks the one that is set. undefined: none is. */
  ask(query: string, signal: AbortSignal): Promise<QueryAnswer> | undefined {
    const source = this.#state.metricSources.get(name)
    if (source === undefined) return undefined
    try {
      return queryPrometheus(source.url, query, signal, { ...source, secret: this.#secrets.open(source) })
    } catch (error) {
      return Promise.resolve({ type: 'none', message: messageOf(error) })
    }
  }

  /** Throws `prometheus.invalid`. */
  async set(wish: MetricSourceWish, context: CallContext): Promise<MetricSourceRecord> {
    const url = checked(wish)
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        const record = this.#recordOf(url, wish, context.actor)
        tx.put('metricSources', record)
        tx.event({ type: 'prometheus.set', subject: {}, message: `gates ask the Prometheus at ${record.url}` })
        return record
      },
      context,
    )
    return value
  }

  /** What is not said stays as it was, as long as it is the same URL and user. */
  #recordOf(url: string, { user, secret, ca }: MetricSourceWish, actor: string): MetricSourceRecord {
    const before = this.#state.metricSources.get(name)
    const known = before?.url === url ? before : undefined
    const as = user === undefined ? known?.user : user || undefined
    const trusted = ca === undefined ? known?.ca : ca || undefined
    const source = {
      ...{ name, url, updatedAt: this.#now(), updatedBy: actor },
      ...(as === undefined ? {} : { user: as }),
      ...(trusted === undefined ? {} : { ca: trusted }),
    }
    return { ...source, ...this.#secrets.sealedFor(source, secret, before) }
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

function checked({ url: text, user = '', secret = '', ca = '' }: MetricSourceWish): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const refuse = (why: string): never => {
    throw new BerthError('prometheus.invalid', `Prometheus at ${JSON.stringify(text.slice(0, 200))}: ${why}`)
  }
  if (url === undefined || !/^https?:$/.test(url.protocol)) return refuse('write its URL, such as http://10.0.0.5:9090')
  // It would stand in the records, and in what viewers see.
  if (url.username !== '' || url.password !== '') return refuse('a URL must not hold a password: give it as the secret')
  if (url.search !== '' || url.hash !== '') return refuse('a URL without ? and # is needed')
  if (user.length > 200 || /[:\p{Cc}]/u.test(user)) return refuse('a user has at most 200 characters, and no colon')
  if (secret.length > 4000 || /\p{Cc}/u.test(secret))
    return refuse('a secret has at most 4,000 characters, all of one line')
  if (ca !== '' && url.protocol === 'http:') return refuse('a certificate is checked of https only')
  if (ca !== '' && !isCertificate(ca)) return refuse('the file holds no certificate in PEM')
  return url.href
}

function isCertificate(pem: string): boolean {
  try {
    return pem.length <= mostCaLength && new X509Certificate(pem).subject !== ''
  } catch {
    return false
  }
}
