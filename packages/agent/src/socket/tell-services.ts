import { readFile } from 'node:fs/promises'
import type { NetdFiles } from '../dns/netd-files.ts'
import { decodeNetdState, netdStatePath } from '../dns/netd-state.ts'
import type { ServiceTable } from './service-table.ts'

/** What netd is told, the sockets of instances are told too. */
export const tellServices = (netd: NetdFiles, services: ServiceTable): NetdFiles => ({
  ...netd,
  writeNames(names, options) {
    services.namesAre(names)
    return netd.writeNames(names, options)
  },
  writeNetwork(network, options) {
    services.networkIs(network)
    return netd.writeNetwork(network, options)
  },
})

/** What netd was told before: it holds until a server says something else. A node that was told nothing yet knows nothing. */
export async function restoreServices(stateDir: string, services: ServiceTable): Promise<void> {
  try {
    const read = (file: 'names' | 'network'): Promise<string> => readFile(netdStatePath(stateDir, file), 'utf8')
    const [names, network] = [await read('names'), await read('network')]
    services.networkIs(decodeNetdState('network', network))
    services.namesAre(decodeNetdState('names', names))
  } catch {
    // netd tells of a file that it cannot read, and a server sends it anew.
  }
}
