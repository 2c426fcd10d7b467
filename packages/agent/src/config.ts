import type { NetworkDriver } from '@berth/core'
import type { Logger } from 'pino'
import type { NginxGatewayOptions } from './gateway/nginx-options.ts'
import type { PingTimes } from './link/link-session.ts'

/** What an agent is started with; the command line makes it. */
export interface AgentConfig {
  /** Berth's state directory, e.g. `/var/lib/berth`. */
  readonly stateDir: string
  /** Emptied by a reboot. Default `/run/berth`. */
  readonly runDir?: string
  /** Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string
  readonly version: string
  /** How this program is called, to be replaced by another; absent: it cannot be. */
  readonly program?: readonly string[]
  /** Berth's supervisor runs dockerd, and starts it again when it ends. */
  readonly keepsDocker?: boolean
  readonly log: Logger
  /** How containers are joined to the network. Default: `bridge`. Another than before is taken once no container is in it. */
  readonly networkDriver?: NetworkDriver
  /** Where Prometheus may ask: `127.0.0.1:7602` (default), `unix:/path`, or `off`. */
  readonly metricsListen?: string
  /** Of nginx, on nodes that are a gateway. HTTP at 80 and HTTPS at 443 unless said otherwise. */
  readonly gateway?: Partial<Omit<NginxGatewayOptions, 'stateDir' | 'log'>>
  /** Processes and threads an instance may have. */
  readonly pidsLimit?: number
  /** How long what instances left in `/persist` is kept after their end. Default seven days. */
  readonly keepEndedMs?: number
  /** Between two looks for what was kept long enough. */
  readonly collectEveryMs?: number
  /** Between two looks at what instances with a grant of disk use of it. */
  readonly diskLookMs?: number
  /** Of the time, what those looks take at most. Default 0.02. */
  readonly diskLookShare?: number
  /** Between two looks for what has drifted from the node configuration. */
  readonly driftLookMs?: number
  /** How soon a silent server is given up. */
  readonly ping?: PingTimes
}

export const defaults = {
  runDir: '/run/berth',
  dockerSocket: '/var/run/docker.sock',
  networkDriver: 'bridge',
  metricsListen: '127.0.0.1:7602',
  pidsLimit: 4096,
  httpPort: 80,
  httpsPort: 443,
  keepEndedMs: 7 * 86_400_000,
  collectEveryMs: 600_000,
  diskLookMs: 15_000,
  diskLookShare: 0.02,
  driftLookMs: 60_000,
} as const
