import type { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import type { CertificateLifetimes } from './authority/authority.ts'
import type { ConsoleFiles } from './http/console-files.ts'
import type { LeaseTimes } from './leadership/index.ts'
import type { Store } from './store/store.ts'
import type { StoreSettings } from './store/store-location.ts'

/** What a server is started with; the command line makes it. */
export interface ServerConfig {
  readonly version: string
  /** The file that the server runs from, which nodes are upgraded with; absent: it runs from sources. */
  readonly executable?: string
  readonly log: Logger
  /** Berth's state directory, e.g. `/var/lib/berth`; the server's own is `server/` in it. */
  readonly stateDir: string
  /** Emptied by a reboot; the socket is in it. Default `/run/berth`. */
  readonly runDir?: string
  /** API and console by TLS: `0.0.0.0:7600`. Absent: the unix socket only. */
  readonly listen?: string
  /** Where agents dial in, by mutual TLS: `0.0.0.0:7601` (default). */
  readonly agentListen?: string
  /** Names and addresses by which the server is reached, for its certificate. This machine's own are added. */
  readonly names?: readonly string[]
  /** A certificate for the API in place of one of Berth's own authority. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string }
  /** Addresses of all instances; each node gets a /24 of it. Default `10.77.0.0/16`. */
  readonly addressPool?: string
  /** Domain of names inside the cluster. Default `berth`. */
  readonly domain?: string
  /** Pool and environment of deploys that name none. Default `production`. */
  readonly defaultPool?: string
  /** Where people reach the gateway: `http://10.0.0.5`, for URLs. */
  readonly gatewayUrl?: string
  /** The gateway's port for TLS. Default 443. */
  readonly gatewayHttpsPort?: number
  /** Where programs made for Consul call, in clear and by TLS; `anonymous`: what those without a token may do. Absent: nowhere. */
  readonly consul?: { readonly listen?: string; readonly tlsListen?: string; readonly anonymous?: 'read' }
  /** Builds at once. Default 2. */
  readonly buildConcurrency?: number
  /** Levels that ship with Berth. */
  readonly levelDirs?: readonly string[]
  /** Repositories may be named by path only below these folders. Absent: any that the server can read. */
  readonly repositoryRoots?: readonly string[]
  readonly console?: ConsoleFiles
  /** How long certificates of the cluster's authority are good, and how often the server looks after its own. For tests. */
  readonly certificates?: { readonly lifetimes: CertificateLifetimes; readonly checkMs: number }
  /** This server among others on one store. Default: the machine's name. */
  readonly serverName?: string
  /** Opens a store that other servers may stand on as well. Absent: SQLite in the state directory, for this server alone. */
  readonly openSharedStore?: () => Promise<Store>
  /** How long roles are held by a lease that is not kept alive. For tests. */
  readonly leaseTimes?: LeaseTimes
  /** Where the records are. Default: SQLite in the state directory. */
  readonly store?: StoreSettings
  /** Makes the store's thread; see `SqliteStoreOptions.worker`. */
  readonly storeWorker?: () => Worker
}

export const defaults = {
  runDir: '/run/berth',
  agentListen: '0.0.0.0:7601',
  addressPool: '10.77.0.0/16',
  domain: 'berth',
  defaultPool: 'production',
  gatewayHttpsPort: 443,
  store: { url: 'sqlite' },
  buildConcurrency: 2,
} as const
