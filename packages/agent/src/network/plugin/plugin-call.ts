import { BerthError } from '@berth/core'

/** The body of a call, as Docker sends it. */
export type PluginBody = Readonly<Record<string, unknown>>

/** Answers a call; what it throws is the answer's `Err` and `Error`. */
export type PluginHandler = (body: PluginBody) => Promise<object> | object

/** Handlers by path: `/NetworkDriver.Join`. */
export type PluginHandlers = Readonly<Record<string, PluginHandler>>

export const badCall = (message: string): BerthError => new BerthError('plugin.bad-call', message)

export const notOffered = (what: string): BerthError =>
  new BerthError('plugin.not-offered', `${what} cannot be had on a network of driver berth`)

/** Of a network or for a container. */
export const ipv6Asked = 'IPv6 that is asked for (containers have it by themselves where their address pool has it)'

/** The answer to what has to be known and is nothing to do. Throws `plugin.bad-call` when a field is missing. */
export function acknowledge(body: PluginBody, ...fields: readonly string[]): object {
  for (const field of fields) requiredText(body, field)
  return {}
}

/** A text that has to be there. Throws `plugin.bad-call`. */
export function requiredText(body: PluginBody, field: string): string {
  const value = body[field]
  if (typeof value === 'string' && value !== '') return value
  throw badCall(`${field} has to be a text that is not empty`)
}

/** '' when it is absent. Throws `plugin.bad-call`. */
export function optionalText(body: PluginBody, field: string): string {
  const value = body[field] ?? ''
  if (typeof value === 'string') return value
  throw badCall(`${field} has to be a text`)
}

/** Empty when it is absent. Throws `plugin.bad-call`. */
export function optionalRecord(body: PluginBody, field: string): PluginBody {
  const value = body[field] ?? {}
  if (isRecord(value)) return value
  throw badCall(`${field} has to be an object`)
}

/** Empty when it is absent. Throws `plugin.bad-call`. */
export function optionalRecords(body: PluginBody, field: string): readonly PluginBody[] {
  const value = body[field] ?? []
  if (Array.isArray(value) && value.every(isRecord)) return value
  throw badCall(`${field} has to be a list of objects`)
}

export const isRecord = (value: unknown): value is PluginBody =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
