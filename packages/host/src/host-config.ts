import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { BerthError, messageOf, type NetworkDriver } from '@berth/core'
import type { BeforeDocker } from './docker-remains.ts'

/** What `berth up` was told; the processes of this machine read it at every start. */
export interface HostConfig {
  readonly node: string
  /** Address at which other machines reach this one. */
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
  readonly dockerSocket: string
  /** Started and supervised by Berth because the machine has no other way to run it. */
  readonly superviseDocker: boolean
  /** The machine before its first dockerd, which was the one supervised here; absent when there was one before. */
  readonly beforeDocker?: BeforeDocker
  /** Set while everything is being removed: nothing but dockerd runs. */
  readonly leaving?: boolean
  readonly server?: {
    readonly listen: string
    readonly agentListen: string
    /** Names and addresses in the server's certificate besides its own. */
    readonly names: readonly string[]
    readonly addressPool: string
    readonly gatewayUrl: string
    /** Where the server's records are; absent: SQLite in the state directory. */
    readonly store?: HostStore
    /** Where programs made for Consul call, as `address:port`; absent: nowhere. */
    readonly consul?: { readonly listen?: string; readonly tlsListen?: string; readonly anonymous?: 'read' }
  }
  /** How containers are joined to the network; absent: the agent's default. */
  readonly network?: NetworkDriver
  readonly gateway: HostGateway
  /** How long what instances left in `/persist` is kept after their end; absent: the agent's default. */
  readonly keepEndedDays?: number
}

export interface HostGateway {
  readonly httpPort: number
  /** 0: none. */
  readonly httpsPort: number
  /** Addresses and networks of proxies before it, whose X-Forwarded-For is believed; absent: nobody's. */
  readonly trustedProxies?: readonly string[]
  /** It writes a line of JSON for every request. */
  readonly accessLog?: boolean
  /** False: members are named to nginx by its Lua module alone. */
  readonly directPeers?: boolean
}

/** Files are absolute paths. */
export interface HostStore {
  readonly url: string
  readonly caFile?: string
  readonly certificateFile?: string
  readonly keyFile?: string
  readonly user?: string
  readonly passwordFile?: string
}

export function readHostConfig(path: string): HostConfig | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new BerthError('host.config-unreadable', `read ${path}: ${messageOf(error)}`)
  }
  try {
    return JSON.parse(text) as HostConfig
  } catch (error) {
    throw new BerthError(
      'host.config-unreadable',
      `read ${path}: ${messageOf(error)}; run berth up again with its options, it writes a new one`,
    )
  }
}

export function writeHostConfig(path: string, config: HostConfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
