import { BerthError } from '@berth/core'

const maxMessageLength = 500
const maxMetrics = 64
const metricName = /^[a-z][a-z0-9_]{0,62}$/

/** `{"ready": true}`, `{"ready": false, "message": "filling its cache"}`. Throws `socket.invalid`. */
export function readReadiness(body: unknown): { readonly ready: boolean; readonly message?: string } {
  const { ready, ...rest } = readObject(body, ['ready', 'message'])
  if (typeof ready !== 'boolean') throw invalid('ready is true or false, as in {"ready": true}')
  return { ready, ...readMessage(rest) }
}

/** `{"on": true, "message": "migrating"}`; undefined: it is over. Throws `socket.invalid`. */
export function readMaintenance(body: unknown): { readonly message?: string } | undefined {
  const { on, ...rest } = readObject(body, ['on', 'message'])
  if (typeof on !== 'boolean') throw invalid('on is true or false, as in {"on": true}')
  const message = readMessage(rest)
  return on ? message : undefined
}

/** `{"queue_length": 12}`: all that there are. Throws `socket.invalid`. */
export function readMetrics(body: unknown): ReadonlyMap<string, number> {
  const values = Object.entries(readObject(body))
  if (values.length > maxMetrics) throw invalid(`${values.length} metrics are too many: at most ${maxMetrics} are kept`)
  return new Map(
    values.map(([name, value]) => {
      if (!metricName.test(name))
        throw invalid(
          `${JSON.stringify(name)} is no name of a metric: small letters, digits and _, such as queue_length`,
        )
      if (typeof value !== 'number') throw invalid(`${name} is ${JSON.stringify(value)}; a metric is a number`)
      return [name, value]
    }),
  )
}

function readObject(body: unknown, keys?: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('the body is a JSON object')
  const unknown = keys === undefined ? undefined : Object.keys(body).find((key) => !keys.includes(key))
  if (unknown !== undefined)
    throw invalid(`${JSON.stringify(unknown)} is not known here; known are ${keys?.join(', ')}`)
  return body as Readonly<Record<string, unknown>>
}

function readMessage({ message }: Readonly<Record<string, unknown>>): { readonly message?: string } {
  if (message === undefined || message === '') return {}
  if (typeof message !== 'string') throw invalid('message is a text')
  return { message: message.replaceAll(/[\p{Cc}\s]+/gu, ' ').slice(0, maxMessageLength) }
}

const invalid = (message: string): BerthError => new BerthError('socket.invalid', message)
