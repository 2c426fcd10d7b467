/**
 * Of a file of the kernel (`/proc/net/tcp`, `tcp6`, `udp`, `udp6`): ports at which a program takes what comes from elsewhere, or what is sent to
 * loopback addresses (of IPv4).
 */
export function listeningPorts(
  table: string,
  protocol: 'tcp' | 'udp',
  from: 'elsewhere' | 'loopback' = 'elsewhere',
): Set<number> {
  const isTaken = from === 'elsewhere' ? (address: string) => !isKept(address) : isByLoopback
  const states = protocol === 'tcp' ? '0A' : '07'
  const ports = new Set<number>()
  for (const line of table.split('\n').slice(1)) {
    const [, local = '', remote = '', state] = line.trim().split(/\s+/)
    const [address = '', port = ''] = local.split(':')
    // A udp socket that is connected to somebody takes nothing of others.
    if (state !== states || !remote.endsWith(':0000') || !isTaken(address)) continue
    ports.add(Number.parseInt(port, 16))
  }
  return ports
}

/** Loopback and link-local addresses, in which bytes stand as the kernel has them. */
const isKept = (address: string): boolean =>
  address.endsWith('7F') || address.endsWith('FEA9') || address === '00000000000000000000000001000000'

const isByLoopback = (address: string): boolean => /^0+$|7F$/.test(address)
