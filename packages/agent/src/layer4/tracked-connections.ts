import { readFile } from 'node:fs/promises'
import { BerthError, canonicalAddress, memberKey, type PortProtocol, portRouteMark } from '@berth/core'
import type { Exec } from '../network/run-command.ts'

/** A connection of a route of a port, or a conversation by UDP, as the kernel tracks it. */
export interface TrackedConnection {
  readonly protocol: PortProtocol
  /** The gateway's. */
  readonly port: number
  /** Who has it: `10.77.1.2:5432`, `[fd77::2]:5432`. */
  readonly member: string
  readonly address: string
  readonly memberPort: number
  /** Of TCP: both ends may still send. Of UDP: there were packets both ways for longer than a question and its answer take. */
  readonly isOpen: boolean
}

const mark = `${portRouteMark}/${portRouteMark}`
/** Of TCP, where there is nothing to wait for. */
const over = ['TIME_WAIT', 'CLOSE']

/** Those that bear the mark of routes of ports. Throws `layer4.no-conntrack` where the kernel cannot be asked. */
export async function readConnections(exec: Exec, signal?: AbortSignal): Promise<TrackedConnection[]> {
  const found: TrackedConnection[] = []
  for (const line of await trackedLines(exec, signal)) {
    const connection = parseConnection(line)
    if (connection !== undefined) found.push(connection)
  }
  return found
}

async function trackedLines(exec: Exec, signal: AbortSignal | undefined): Promise<string[]> {
  const lines: string[] = []
  try {
    for (const family of ['ipv4', 'ipv6']) {
      const { code, stdout, stderr } = await exec('conntrack', ['-L', '-f', family, '-m', mark], { signal })
      if (code !== 0) throw new BerthError('layer4.no-conntrack', `list connections: conntrack says: ${stderr.trim()}`)
      lines.push(...stdout.split('\n'))
    }
    return lines
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const table = await readFile('/proc/net/nf_conntrack', 'utf8').catch(() => undefined)
  if (table === undefined) throw noConntrack('counted')
  return table.split('\n')
}

const isMissing = (error: unknown): boolean => error instanceof BerthError && error.code === 'network.command-missing'

const noConntrack = (what: string): BerthError =>
  new BerthError(
    'layer4.no-conntrack',
    `connections cannot be ${what}: conntrack is not installed; install its package, conntrack`,
  )

/** A line of `conntrack -L` or of `/proc/net/nf_conntrack`; undefined: of nothing that a route of a port has given to a member. */
export function parseConnection(line: string): TrackedConnection | undefined {
  const words = line.trim().split(/\s+/)
  if (words[0] === 'ipv4' || words[0] === 'ipv6') words.splice(0, 2)
  const protocol = words[0]
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined
  const values = (key: string): string[] =>
    words.flatMap((word) => (word.startsWith(`${key}=`) ? [word.slice(key.length + 1)] : []))
  const [, from = ''] = values('src')
  const [port] = values('dport')
  const [, memberPort] = values('sport')
  if ((Number(values('mark')[0] ?? 0) & portRouteMark) === 0 || from === '') return undefined
  const address = canonicalAddress(from) ?? from
  const at = { protocol: protocol as PortProtocol, port: Number(port), address, memberPort: Number(memberPort) }
  const isOpen = protocol === 'tcp' ? !over.some((state) => words.includes(state)) : words.includes('[ASSURED]')
  return { ...at, member: memberKey({ address, port: at.memberPort }), isOpen }
}

/**
 * Makes the kernel forget those of one member of one port, so that the next packet of a client is a new connection's. None there is nothing to do.
 * Throws `layer4.no-conntrack`.
 */
export async function forgetConnections(
  exec: Exec,
  { protocol, port, address, memberPort }: Pick<TrackedConnection, 'protocol' | 'port' | 'address' | 'memberPort'>,
  signal?: AbortSignal,
): Promise<void> {
  const whose = ['--orig-port-dst', String(port), '--reply-src', address, '--reply-port-src', String(memberPort)]
  const family = address.includes(':') ? 'ipv6' : 'ipv4'
  try {
    // It fails where there is none.
    await exec('conntrack', ['-D', '-f', family, '-p', protocol, '-m', mark, ...whose], { signal })
  } catch (error) {
    throw isMissing(error) ? noConntrack('taken from instances that are gone') : error
  }
}
