import { BerthError } from '../packages/core/src/index.ts'
import type { HostConfig } from '../packages/host/src/index.ts'

export const consulOptions = ['consul-listen', 'consul-tls-listen', 'consul-anonymous'] as const

type Settings = NonNullable<HostConfig['server']>['consul']

/** Where programs made for Consul call: as the options say, else as `berth up` was told. Throws `usage.consul`. */
export function consulSettings(values: Readonly<Record<string, string | undefined>>, own: Settings): Settings {
  const listen = values['consul-listen'] ?? own?.listen
  const tlsListen = values['consul-tls-listen'] ?? own?.tlsListen
  const anonymous = values['consul-anonymous'] ?? own?.anonymous ?? 'none'
  if (anonymous !== 'read' && anonymous !== 'none')
    throw new BerthError('usage.consul', `--consul-anonymous ${anonymous}: write read or none`)
  if (listen === undefined && tlsListen === undefined) return undefined
  return {
    ...(listen === undefined ? {} : { listen }),
    ...(tlsListen === undefined ? {} : { tlsListen }),
    ...(anonymous === 'read' ? { anonymous } : {}),
  }
}
