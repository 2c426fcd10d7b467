import { readFile } from 'node:fs/promises'
import { type InstancePort, isLoopback, listeningPorts } from '@berth/core'

type AskedPort = Pick<InstancePort, 'hostPort' | 'protocol' | 'hostAddress'>

/**
 * Those of these ports of the node at which a program of it listens, at the addresses that they are for. `procNet`: where the kernel's tables
 * of sockets are; without IPv6 its files are not there.
 */
export async function takenPorts<Port extends AskedPort>(
  ports: readonly Port[],
  procNet = '/proc/self/net',
): Promise<Set<Port>> {
  const taken = new Set<Port>()
  for (const protocol of ['tcp', 'udp'] as const) {
    const those = ports.filter((each) => each.protocol === protocol)
    for (const family of those.length === 0 ? [] : ['', '6']) {
      const table = await readFile(`${procNet}/${protocol}${family}`, 'utf8').catch(() => '')
      const listening = {
        loopback: listeningPorts(table, protocol, 'loopback'),
        elsewhere: listeningPorts(table, protocol),
      }
      for (const each of those)
        if (listening[isLoopback(each) ? 'loopback' : 'elsewhere'].has(each.hostPort)) taken.add(each)
    }
  }
  return taken
}
