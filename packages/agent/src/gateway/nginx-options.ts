import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { Logger } from 'pino'

/** What the configuration of nginx is made from, and nothing else: routes and members never get into it. */
export interface NginxGatewayOptions {
  /** Absolute. Holds configuration, dump, sockets, logs and, where nginx's workers can reach it, temporary files. */
  readonly stateDir: string
  readonly httpPort: number
  /** Absent: no HTTPS. */
  readonly httpsPort?: number
  /** Absent: every IPv4 and IPv6 address of the machine. */
  readonly listenAddress?: string
  /** Absent: `nginx` of the usual folders. */
  readonly nginxPath?: string
  /** Absent: one per CPU. */
  readonly workers?: number
  /** Connections per worker, to clients and members together; default 16,384. */
  readonly connections?: number
  /** Idle connections to members kept per worker; default 1,024. */
  readonly keepalive?: number
  /** Proxies whose X-Forwarded-For is believed, as addresses or networks: `10.0.0.0/8`. Default: nobody's. */
  readonly trustedProxies?: readonly string[]
  /** Absent: no access log. `true`: JSON lines in `logs/access.log` of the state folder. */
  readonly accessLog?: boolean
  /** `false`: members are named by nginx's Lua module alone, which costs more; for versions of nginx that were tried it is not needed. */
  readonly directPeers?: boolean
  /** How long workers of an older configuration may go on with what they serve after a reload; default an hour. */
  readonly oldWorkersSeconds?: number
  /** Pins the workers to these CPUs, one each (for benchmarks). */
  readonly workerCpus?: readonly number[]
  /** From a change until the table is on disk, for a start of nginx without an agent; 100 ms, or a second after the last time. */
  readonly dumpAfterMs?: number
  readonly log: Logger
}

/** Every path of one gateway. */
export interface GatewayPaths {
  readonly stateDir: string
  /** Root's alone: what workers and other users must not read. */
  readonly private: string
  readonly configuration: string
  readonly pidFile: string
  readonly adminSocket: string
  readonly dump: string
  readonly fallbackCertificate: string
  readonly fallbackKey: string
  readonly logs: string
  readonly errorLog: string
  readonly accessLog: string
}

/** A socket's path has to fit into `sockaddr_un`. */
const maxSocketPath = 107

export function gatewayPaths(stateDir: string): GatewayPaths {
  const secret = join(stateDir, 'private')
  const logs = join(stateDir, 'logs')
  return {
    stateDir,
    private: secret,
    configuration: join(secret, 'nginx.conf'),
    pidFile: join(secret, 'nginx.pid'),
    adminSocket: join(secret, 'admin.sock'),
    dump: join(secret, 'table.dump'),
    fallbackCertificate: join(secret, 'fallback-certificate.pem'),
    fallbackKey: join(secret, 'fallback-key.pem'),
    logs,
    errorLog: join(logs, 'error.log'),
    accessLog: join(logs, 'access.log'),
  }
}

/**
 * Refuses options that could not be written into nginx.conf as they are. Paths and addresses stand there unquoted by necessity, so
 * they may only hold characters that mean nothing to nginx. Throws `gateway.invalid-options`.
 */
export function checkOptions(options: NginxGatewayOptions): void {
  const refuse = (what: string) => {
    throw new BerthError('gateway.invalid-options', `configure the gateway: ${what}`)
  }
  const { adminSocket } = gatewayPaths(options.stateDir)
  if (!/^\/[A-Za-z0-9._@+/-]+$/.test(options.stateDir)) {
    refuse(`its folder ${JSON.stringify(options.stateDir)} must be absolute and of letters, digits and . _ @ + - only`)
  }
  if (adminSocket.length > maxSocketPath)
    refuse(`its folder ${options.stateDir} is too long for the socket ${adminSocket}`)
  for (const [name, port] of [
    ['HTTP', options.httpPort],
    ['HTTPS', options.httpsPort ?? 443],
  ] as const) {
    if (!isWhole(port, 1, 65_535)) refuse(`the ${name} port ${port} is not between 1 and 65535`)
  }
  if (options.httpPort === options.httpsPort) refuse(`HTTP and HTTPS cannot share port ${options.httpPort}`)
  if (options.listenAddress !== undefined && !isAddressText(options.listenAddress)) {
    refuse(`${JSON.stringify(options.listenAddress)} is no address to listen at`)
  }
  for (const proxy of options.trustedProxies ?? []) {
    if (!isAddressText(proxy.replace(/\/\d{1,3}$/, ''))) refuse(`${JSON.stringify(proxy)} is no address or network`)
  }
  if (!isWhole(options.workers ?? 1, 1, 256)) refuse(`${options.workers} workers are not between 1 and 256`)
  if (!isWhole(options.connections ?? 1024, 64, 1_000_000)) refuse(`${options.connections} connections per worker`)
  if (!isWhole(options.oldWorkersSeconds ?? 1, 1, 86_400))
    refuse(`${options.oldWorkersSeconds} s for workers of an older configuration are not between 1 and 86400`)
  if (!isWhole(options.keepalive ?? 1024, 1, 100_000)) refuse(`${options.keepalive} idle connections per worker`)
}

/** Short and stable for one text: names things that depend on it. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

/** IPv4 or IPv6 as nginx will check it in full; here only that it can mean nothing else to it. */
function isAddressText(text: string): boolean {
  return /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(text) || /^[0-9a-fA-F:]*:[0-9a-fA-F:]*$/.test(text)
}
