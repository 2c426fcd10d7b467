import type { Logger } from 'pino'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import type { ServerConfig } from '../config.ts'
import { ConsulListener } from '../discovery/consul-listener.ts'
import { openDiscovery } from '../discovery/open-discovery.ts'
import { parseListenAddress } from '../http/listen-address.ts'
import type { Foundation } from './open-foundation.ts'

export interface DiscoveryOptions {
  readonly config: ServerConfig
  readonly foundation: Foundation
  readonly certificate: KeyPairPem
  readonly log: Logger
  readonly stack: AsyncDisposableStack
  readonly stopping: AbortSignal
}

/** Where programs made for Consul call. */
export interface Discovery {
  readonly port?: number
  readonly tlsPort?: number
  renewTls(certificate: KeyPairPem): void
}

/** Undefined where nobody asked for it: then nothing of it is kept in memory either. */
export async function startDiscovery(options: DiscoveryOptions): Promise<Discovery | undefined> {
  const { config, foundation, certificate, log, stack, stopping } = options
  const { listen, tlsListen, anonymous } = config.consul ?? {}
  if (listen === undefined && tlsListen === undefined) return undefined
  const { records, store, tokens, leadership } = foundation
  const api = openDiscovery({
    ...{ records, store, tokens, log, stack, signal: stopping },
    silentMs: () => leadership.silentMs,
    heard: foundation.checksHeard,
    ...{ name: leadership.name, version: config.version },
    ...(anonymous === undefined ? {} : { anonymous }),
  })
  const listener = stack.use(
    new ConsulListener(
      (request, response) => api.handle(request, response),
      () => api.tellingSince,
    ),
  )
  const port = listen === undefined ? undefined : await listener.listen(parseListenAddress(listen))
  const tlsPort =
    tlsListen === undefined ? undefined : await listener.listenTls(parseListenAddress(tlsListen), certificate)
  log.info({ port, tlsPort, anonymous }, 'programs made for Consul are answered')
  return {
    ...(port === undefined ? {} : { port }),
    ...(tlsPort === undefined ? {} : { tlsPort }),
    renewTls: (renewed) => listener.renewTls(renewed),
  }
}
