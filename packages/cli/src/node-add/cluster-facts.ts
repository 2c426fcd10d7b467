import { X509Certificate } from 'node:crypto'
import type { Client, NodeView } from '@berth/api'
import { BerthError } from '@berth/core'

/** What bringing machines in needs to know of the cluster. */
export interface ClusterFacts {
  /** What machines are told to dial: `10.0.0.5:7600`. */
  readonly server: string
  readonly host: string
  readonly apiPort: number
  readonly agentPort: number
  /** Fingerprints of the authorities that are trusted now. */
  readonly authorities: readonly string[]
  readonly nodes: ReadonlyMap<string, NodeView>
  /** The server's clock, which goes on with this machine's. */
  readonly nowMs: () => number
}

export async function readCluster(
  client: Client,
  told: string | undefined,
  signal: AbortSignal,
): Promise<ClusterFacts> {
  const asked = Date.now()
  const { now = asked } = await client.call('getVersion', {}, { signal })
  const aheadMs = now - (asked + Date.now()) / 2
  const status = await client.call('getStatus', {}, { signal })
  const { items } = await client.list('listNodes', {}, { signal })
  const server = told ?? status.joining?.server
  if (server === undefined) throw new BerthError('usage.server', 'say where machines are to dial: --server HOST:PORT')
  const { host, port } = hostAndPort(server)
  return {
    ...{ server, host, apiPort: port, agentPort: status.joining?.agentPort ?? 7601 },
    authorities: fingerprintsIn(status.authority?.trustPem ?? ''),
    nodes: new Map(items.map((node) => [node.name, node])),
    nowMs: () => Date.now() + aheadMs,
  }
}

function hostAndPort(server: string): { readonly host: string; readonly port: number } {
  const url = URL.parse(server.includes('://') ? server : `https://${server}`)
  if (url === null || url.hostname === '') throw new BerthError('usage.server', `--server ${server}: write HOST:PORT`)
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 7600) }
}

/** As join tokens name them. */
const fingerprintsIn = (pem: string): string[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map((each) =>
    new X509Certificate(each).fingerprint256.replaceAll(':', '').toLowerCase(),
  )
