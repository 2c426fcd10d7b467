import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import {
  BerthError,
  checkName,
  closest,
  type NetworkDriver,
  networkDrivers,
  parseBlock,
  proposeName,
} from '@berth/core'
import {
  defaultRunDir,
  defaultStateDir,
  findProgram,
  type HostConfig,
  type HostPaths,
  hasSystemd,
  lookBeforeDocker,
  probeDocker,
  readHostConfig,
} from '@berth/host'
import type { Command } from 'commander'
import { parseLabels } from './admin.ts'

/** What `up` and `node join` are told of this machine. What is left out stays as it was said before. */
export interface HostOptions {
  readonly stateDir: string
  readonly runDir: string
  readonly node?: string
  readonly address?: string
  readonly label: readonly string[]
  readonly docker?: string
  readonly listen?: string
  readonly agentListen?: string
  readonly name: readonly string[]
  readonly addressPool?: string
  readonly consulListen?: string
  readonly consulTlsListen?: string
  readonly consulAnonymous?: string
  readonly network?: string
  readonly httpPort?: string
  readonly httpsPort?: string
  readonly trustedProxy?: readonly string[]
  readonly accessLog?: string
  readonly directPeers?: string
  readonly keepEnded?: string
  readonly server?: string
  readonly allowDowngrade?: boolean
}

export const hostDefaults = {
  ...{ docker: '/var/run/docker.sock', httpPort: 80, httpsPort: 443, keepEndedDays: 7 },
  ...{ listen: '0.0.0.0:7600', agentListen: '0.0.0.0:7601', addressPool: '10.77.0.0/16' },
} as const

export const collect = (word: string, words: readonly string[]): string[] => [...words, word]

export const folders = (command: Command): Command =>
  command
    .option('--state-dir <dir>', 'where everything is kept', defaultStateDir)
    .option('--run-dir <dir>', 'sockets and pid files', defaultRunDir)

export const machine = (command: Command): Command =>
  folders(command)
    .option('--node <name>', "this machine's name in the cluster (default: its host name)")
    .option('--address <ip>', 'address at which other machines reach this one')
    .option('--label <key=value>', 'label of the node; may be repeated', collect, [])
    .option('--docker <socket>', `Docker's socket (default: ${hostDefaults.docker})`)
    .option(
      '--network <driver>',
      'how containers are joined: routed or bridge (default: what the machine has; routed for a new one)',
    )
    .option('--http-port <port>', `the gateway's port (default: ${hostDefaults.httpPort})`)
    .option('--https-port <port>', `the gateway's port for TLS; 0: none (default: ${hostDefaults.httpsPort})`)
    .option(
      '--trusted-proxy <network>',
      'a proxy before the gateway, by address or network, whose X-Forwarded-For is believed; may be repeated; none: nobody',
      collect,
      [],
    )
    .option('--access-log <state>', 'on: the gateway writes a line of JSON for every request (default: off)')
    .option(
      '--direct-peers <state>',
      'off: the gateway names members to nginx by its Lua module alone, which costs a twentieth of its speed (default: on where nginx is known)',
    )
    .option(
      '--keep-ended <days>',
      `how long what instances left in /persist is kept after their end (default: ${hostDefaults.keepEndedDays})`,
    )
    .option('--allow-downgrade', 'go on although a newer version of Berth has run on this machine')

/** Throws `usage.*` for what no machine could do, before anything is changed. */
export async function configOf(options: HostOptions, paths: HostPaths, withServer: boolean): Promise<HostConfig> {
  const former = readHostConfig(paths.config)
  const address = options.address === undefined ? (former?.address ?? ownAddress()) : parseIp(options.address)
  const node = options.node ?? former?.node ?? proposeName(hostname()) ?? 'node'
  checkName('node', node)
  const docker = options.docker ?? former?.dockerSocket ?? hostDefaults.docker
  const base = {
    ...{ node, address, labels: labelsOf(options, former), dockerSocket: docker },
    ...(await ownDocker(docker, paths)),
    ...networkOf(options, former),
    gateway: gatewayOf(options, former?.gateway),
    keepEndedDays: parsed(options.keepEnded, parseDays) ?? former?.keepEndedDays ?? hostDefaults.keepEndedDays,
  }
  return withServer ? { ...base, server: serverOf(options, base, former?.server) } : base
}

function gatewayOf(options: HostOptions, former: HostConfig['gateway'] | undefined): HostConfig['gateway'] {
  const { trustedProxy = [] } = options
  const proxies = trustedProxy.length > 0 ? proxiesOf(trustedProxy) : (former?.trustedProxies ?? [])
  const accessLog = parsed(options.accessLog, isOn('--access-log')) ?? former?.accessLog
  const directPeers = parsed(options.directPeers, isOn('--direct-peers')) ?? former?.directPeers
  return {
    httpPort: parsed(options.httpPort, parsePort) ?? former?.httpPort ?? hostDefaults.httpPort,
    httpsPort: parsed(options.httpsPort, parsePort) ?? former?.httpsPort ?? hostDefaults.httpsPort,
    ...(proxies.length === 0 ? {} : { trustedProxies: proxies }),
    ...(accessLog === undefined ? {} : { accessLog }),
    ...(directPeers === undefined ? {} : { directPeers }),
  }
}

/** `none` takes all back. */
function proxiesOf(told: readonly string[]): readonly string[] {
  if (told.length === 1 && told[0] === 'none') return []
  for (const each of told) {
    const [address = '', bits, ...rest] = each.split('/')
    const most = { 4: 32, 6: 128, 0: -1 }[isIP(address) as 0 | 4 | 6]
    if (rest.length > 0 || most < 0 || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most)))
      throw new BerthError('usage.trusted-proxy', `--trusted-proxy ${each}: an address or a network such as 10.0.0.0/8`)
  }
  return [...new Set(told)]
}

const isOn =
  (option: string) =>
  (state: string): boolean => {
    if (state !== 'on' && state !== 'off') throw new BerthError('usage.state', `${option} ${state}: on or off`)
    return state === 'on'
  }

/**
 * What a machine that is a node already stays when it is told to join once more: its labels are the cluster's to keep, and one that is a
 * server as well goes on being one.
 */
export const stayingAsItIs = (config: HostConfig, { labels, server }: HostConfig): HostConfig => ({
  ...{ ...config, labels },
  ...(server === undefined ? {} : { server }),
})

const parsed = <T>(text: string | undefined, parse: (text: string) => T): T | undefined =>
  text === undefined ? undefined : parse(text)

function labelsOf({ label }: HostOptions, former: HostConfig | undefined): Record<string, string> {
  const told = Object.entries(parseLabels(label)).map(([key, value]) => [key, value ?? ''])
  return { ...(former?.labels ?? { gateway: 'true' }), ...Object.fromEntries(told) }
}

/** What this machine's server is told. */
export function serverOf(
  options: HostOptions,
  { node, address, gateway }: Pick<HostConfig, 'node' | 'address' | 'gateway'>,
  former: HostConfig['server'],
): NonNullable<HostConfig['server']> {
  const { listen, agentListen, name, addressPool } = options
  const port = gateway.httpPort === 80 ? '' : `:${gateway.httpPort}`
  return {
    listen: parsed(listen, parseListen) ?? former?.listen ?? hostDefaults.listen,
    agentListen: parsed(agentListen, parseListen) ?? former?.agentListen ?? hostDefaults.agentListen,
    names: [...new Set([...(name.length > 0 ? name : (former?.names ?? [])), address, node])],
    addressPool: parsed(addressPool, parsePool) ?? former?.addressPool ?? hostDefaults.addressPool,
    gatewayUrl: `http://${address}${port}`,
    ...consulOf(options, former?.consul),
  }
}

type ConsulPlaces = NonNullable<NonNullable<HostConfig['server']>['consul']>

/** `off` takes an address back. */
function consulOf(options: HostOptions, former: ConsulPlaces = {}): { readonly consul?: ConsulPlaces } {
  const place = (told: string | undefined, before: string | undefined): string | undefined =>
    told === 'off' ? undefined : (parsed(told, parseListen) ?? before)
  const listen = place(options.consulListen, former.listen)
  const tlsListen = place(options.consulTlsListen, former.tlsListen)
  const anonymous = parsed(options.consulAnonymous, parseAnonymous) ?? former.anonymous ?? 'none'
  if (listen === undefined && tlsListen === undefined) return {}
  return {
    consul: {
      ...(listen === undefined ? {} : { listen }),
      ...(tlsListen === undefined ? {} : { tlsListen }),
      ...(anonymous === 'read' ? { anonymous } : {}),
    },
  }
}

function parseAnonymous(text: string): 'read' | 'none' {
  if (text === 'read' || text === 'none') return text
  throw new BerthError('usage.consul', `--consul-anonymous ${text}: write read or none`)
}

function parseIp(text: string): string {
  if (isIP(text) !== 0) return text
  throw new BerthError('usage.address', `--address ${text} is no IP address; other machines reach this one by it`)
}

function parseListen(text: string): string {
  const port = Number(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:]+):(\d{1,5})$/.exec(text)?.[1] ?? -1)
  if (port >= 0 && port <= 65_535) return text
  throw new BerthError('usage.listen', `${text} is no place to listen at; write ADDRESS:PORT, as 0.0.0.0:7600`)
}

/**
 * A machine that is set up anew gets links and routes. One that was set up when there were only bridges, of which nothing is written down, keeps its
 * own: its processes need no restart for it.
 */
function networkOf({ network }: HostOptions, former: HostConfig | undefined): Pick<HostConfig, 'network'> {
  const driver = parsed(network, parseDriver) ?? (former === undefined ? fittingDriver() : former.network)
  return driver === undefined ? {} : { network: driver }
}

/** Containers with links find their gateway by ARP, which a kernel that was told to ignore it (as for load balancers) does not answer. */
export function fittingDriver(readArpIgnore = () => readFileSync(arpIgnorePath, 'utf8')): NetworkDriver {
  try {
    return readArpIgnore().trim() === '0' ? 'routed' : 'bridge'
  } catch {
    return 'bridge'
  }
}

const arpIgnorePath = '/proc/sys/net/ipv4/conf/all/arp_ignore'

export function parseDriver(text: string): NetworkDriver {
  const driver = networkDrivers.find((each) => each === text)
  if (driver !== undefined) return driver
  const meant = closest(text, networkDrivers)
  const hint = meant === undefined ? `write ${networkDrivers.join(' or ')}` : `did you mean ${meant}?`
  throw new BerthError('usage.network', `--network ${text}: there is no such form of the network; ${hint}`)
}

const parsePool = (text: string): string => {
  parseBlock(text)
  return text
}

/** Where nobody else looks after Docker (no systemd, and none is there, not even one that starts), its engine is run here; once taken on, it stays so. */
async function ownDocker(
  socket: string,
  paths: HostPaths,
): Promise<Pick<HostConfig, 'superviseDocker' | 'beforeDocker'>> {
  if (hasSystemd() || findProgram('dockerd') === undefined || socket !== hostDefaults.docker)
    return { superviseDocker: false }
  const former = readHostConfig(paths.config)
  const beforeDocker = former?.superviseDocker === true ? former.beforeDocker : lookBeforeDocker()
  const superviseDocker = former?.superviseDocker === true || (await probeDocker(socket))?.absent === true
  return { superviseDocker, ...(superviseDocker && beforeDocker !== undefined ? { beforeDocker } : {}) }
}

export function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new BerthError('usage.port', `${text} is no port`)
  return port
}

function parseDays(text: string): number {
  const days = Number(text)
  if (text.trim() === '' || !(days >= 0)) throw new BerthError('usage.days', `${text} is no number of days`)
  return days
}

export const portOf = (listen: string): string => listen.slice(listen.lastIndexOf(':') + 1)

/** The first address of this machine that others could reach. */
function ownAddress(): string {
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(docker|br-|veth|berth)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
  return own.find((each) => each.family === 'IPv4' && !each.internal)?.address ?? '127.0.0.1'
}
