import { writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import {
  describeHostPort,
  isReachedByLoopback,
  type PublishedPort,
  publishedPortsTable,
  renderPublishedPorts,
} from '@berth/core'
import type { Exec } from '../run-command.ts'
import { createTableKeeper } from '../table-keeper.ts'

/** The kernel's part of published ports. */
export interface PortKernel {
  /** Puts exactly these in force; what others changed is made anew. Throws `network.command-failed`. */
  keep(ports: readonly PublishedPort[], source: string, source6?: string): Promise<void>
  /** Whether the node itself may send to the link from its loopback addresses. A link that is gone needs nothing. */
  openToLoopback(link: string, isOpen: boolean): Promise<void>
}

export function createPortKernel(exec: Exec): PortKernel {
  const keepTable = createTableKeeper(exec, [publishedPortsTable])
  const listing = ['list', 'table', ...publishedPortsTable.split(' ')]
  // Without nft there is none.
  const tableExists = async () => (await exec('nft', listing).catch(() => undefined))?.code === 0
  let before: readonly PublishedPort[] | undefined
  return {
    async keep(ports, source, source6) {
      // Most nodes publish nothing, and no program is to be run for that.
      if (ports.length === 0 && (before?.length === 0 || (before === undefined && !(await tableExists())))) {
        before = ports
        return
      }
      await keepTable(renderPublishedPorts(ports, source, source6), { isRemoval: ports.length === 0 })
      // Unknown ones of a predecessor are those that are still there.
      await forgetFlows(exec, differing(before ?? ports, ports))
      before = ports
    },

    async openToLoopback(link, isOpen) {
      await writeFile(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, isOpen ? '1' : '0').catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      })
    },
  }
}

function differing(before: readonly PublishedPort[], after: readonly PublishedPort[]): PublishedPort[] {
  const [old, now] = [before, after].map((ports) => new Set(ports.map((each) => JSON.stringify(each))))
  const differ = (each: PublishedPort) => old?.has(JSON.stringify(each)) !== now?.has(JSON.stringify(each))
  return [...before, ...after].filter(differ)
}

/**
 * Who keeps on sending by udp would go on being led where it was led before. Where there is no `conntrack` that lasts until it has been
 * silent for half a minute.
 */
async function forgetFlows(exec: Exec, ports: readonly PublishedPort[]): Promise<void> {
  for (const port of new Map(ports.map((each) => [describeHostPort(each), each])).values()) {
    if (port.protocol !== 'udp') continue
    for (const address of port.hostAddress === undefined ? ownAddresses(port) : [port.hostAddress]) {
      const which = ['--orig-dst', address, '--orig-port-dst', String(port.hostPort)]
      const family = address.includes(':') ? ['-f', 'ipv6'] : []
      await exec('conntrack', ['-D', ...family, '-p', 'udp', ...which]).catch(() => undefined)
    }
  }
}

const ownAddresses = (port: PublishedPort): string[] =>
  Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) =>
      family === 'IPv4' ? !internal || isReachedByLoopback(port) : port.address6 !== undefined && !internal,
    )
    .map((each) => each.address)
