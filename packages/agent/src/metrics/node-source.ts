import { join } from 'node:path'
import type { Counters } from './counters.ts'
import {
  parseBusyNs,
  parseCoreBusyNs,
  parseDiskStats,
  parseEstablished,
  parseNetDev,
  parseUsedMemory,
} from './kernel-files.ts'
import { readOptionalFile, readSmallFile } from './small-file.ts'

/** Interfaces that only lead to containers or to the node itself: what passes them also passes a real one, or never leaves. */
const virtual = /^(?:lo$|veth|docker|br-|berth|virbr|cni|flannel|cali|tun|tap|ifb|bond\d+\.)/

export interface NodeReading {
  readonly counters: Counters
  /** Time that each core was not idle. */
  readonly coreBusyNs: ReadonlyMap<number, number>
}

/** The figures of the node itself. Its network's are those of the network namespace that this process is in. */
export function readNode(procRoot: string): NodeReading {
  const stat = readSmallFile(join(procRoot, 'stat'))
  return { counters: readCounters(procRoot, stat), coreBusyNs: parseCoreBusyNs(stat) }
}

function readCounters(procRoot: string, stat: string): Counters {
  const read = (file: string): string => readOptionalFile(join(procRoot, file))
  const { readBytes, writtenBytes } = parseDiskStats(read('diskstats'))
  return {
    cpuNs: parseBusyNs(stat),
    throttledNs: 0,
    periods: 0,
    throttledPeriods: 0,
    memoryBytes: parseUsedMemory(read('meminfo')),
    ...parseNetDev(read('net/dev'), (name) => !virtual.test(name)),
    blockReadBytes: readBytes,
    blockWriteBytes: writtenBytes,
    tcpConnections: parseEstablished(read('net/snmp')),
  }
}
