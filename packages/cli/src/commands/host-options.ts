import { hostname, networkInterfaces } from 'node:os'
import { BerthError, proposeName } from '@berth/core'
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

/** What `up` and `node join` are told of this machine. */
export interface HostOptions {
  readonly stateDir: string
  readonly runDir: string
  readonly node?: string
  readonly address?: string
  readonly label: readonly string[]
  readonly docker: string
  readonly listen: string
  readonly agentListen: string
  readonly name: readonly string[]
  readonly addressPool: string
  readonly httpPort: string
  readonly httpsPort: string
  readonly keepEnded: string
  readonly server?: string
}

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
    .option('--docker <socket>', "Docker's socket", '/var/run/docker.sock')
    .option('--http-port <port>', "the gateway's port", '80')
    .option('--https-port <port>', "the gateway's port for TLS; 0: none", '443')
    .option('--keep-ended <days>', 'how long what instances left in /persist is kept after their end', '7')

export async function configOf(options: HostOptions, paths: HostPaths, withServer: boolean): Promise<HostConfig> {
  const address = options.address ?? ownAddress()
  const node = options.node ?? proposeName(hostname()) ?? 'node'
  const labels = Object.fromEntries(
    Object.entries(parseLabels(options.label)).map(([key, value]) => [key, value ?? '']),
  )
  const base = {
    node,
    address,
    labels: { gateway: 'true', ...labels },
    dockerSocket: options.docker,
    ...(await ownDocker(options.docker, paths)),
    gateway: { httpPort: parsePort(options.httpPort), httpsPort: parsePort(options.httpsPort) },
    keepEndedDays: parseDays(options.keepEnded),
  }
  if (!withServer) return base
  const { listen, agentListen, name: names, addressPool } = options
  const port = base.gateway.httpPort === 80 ? '' : `:${base.gateway.httpPort}`
  return {
    ...base,
    server: {
      listen,
      agentListen,
      names: [...names, address, node],
      addressPool,
      gatewayUrl: `http://${address}${port}`,
    },
  }
}

/** Where nobody else looks after Docker (no systemd, and none answers), its engine is run here; once taken on, it stays so. */
async function ownDocker(
  socket: string,
  paths: HostPaths,
): Promise<Pick<HostConfig, 'superviseDocker' | 'beforeDocker'>> {
  if (hasSystemd() || findProgram('dockerd') === undefined || socket !== '/var/run/docker.sock')
    return { superviseDocker: false }
  const former = readHostConfig(paths.config)
  const beforeDocker = former?.superviseDocker === true ? former.beforeDocker : lookBeforeDocker()
  const superviseDocker = former?.superviseDocker === true || (await probeDocker(socket)) !== undefined
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
