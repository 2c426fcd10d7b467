import { join } from 'node:path'
import { findCgroups, type Roots } from './container-cgroups.ts'
import type { Counters, LimitDrops } from './counters.ts'
import {
  type InterfaceCounts,
  parseBlkio,
  parseEstablished,
  parseIoStat,
  parseNetDev,
  readField,
} from './kernel-files.ts'
import { readOptionalFile, readSmallFile } from './small-file.ts'

/** Where a container's figures are read. */
export interface ContainerSource {
  /** Throws when the container is gone. What queues of limits dropped is not seen from inside of it. */
  read(): Counters
}

type Usage = Omit<Counters, keyof InterfaceCounts | keyof LimitDrops | 'tcpConnections'>

/** Finds the cgroups of a container by its first process. Throws when that is gone. */
export function openContainer(roots: Roots, pid: number): ContainerSource {
  const cgroups = findCgroups(roots, pid)
  const readUsage = cgroups.version === 2 ? unifiedReader(cgroups.directory) : versionOneReader(cgroups.directory)
  const network = join(roots.procRoot, String(pid), 'net')
  const [devices, connections] = [join(network, 'dev'), join(network, 'snmp')]
  return {
    read() {
      // First: when it is gone, the process id may be another's by now.
      const usage = readUsage()
      return {
        ...usage,
        ...parseNetDev(readOptionalFile(devices), (name) => name !== 'lo'),
        tcpConnections: parseEstablished(readOptionalFile(connections)),
      }
    },
  }
}

function versionOneReader(directory: (controller: string) => string): () => Usage {
  const usage = join(directory('cpuacct'), 'cpuacct.usage')
  const throttling = join(directory('cpu'), 'cpu.stat')
  const memory = join(directory('memory'), 'memory.usage_in_bytes')
  const memoryStat = join(directory('memory'), 'memory.stat')
  const blocks = join(directory('blkio'), 'blkio.throttle.io_service_bytes_recursive')
  return () => {
    const cpuNs = Number(readSmallFile(usage))
    const stat = readOptionalFile(throttling)
    const { readBytes, writtenBytes } = parseBlkio(readOptionalFile(blocks))
    const inactive = readField(readOptionalFile(memoryStat), 'total_inactive_file')
    return {
      cpuNs,
      throttledNs: readField(stat, 'throttled_time'),
      ...periodsOf(stat),
      memoryBytes: Math.max(0, Number(readOptionalFile(memory)) - inactive),
      blockReadBytes: readBytes,
      blockWriteBytes: writtenBytes,
    }
  }
}

function unifiedReader(directory: string): () => Usage {
  const cpu = join(directory, 'cpu.stat')
  const memory = join(directory, 'memory.current')
  const memoryStat = join(directory, 'memory.stat')
  const blocks = join(directory, 'io.stat')
  return () => {
    const cpuStat = readSmallFile(cpu)
    const { readBytes, writtenBytes } = parseIoStat(readOptionalFile(blocks))
    const inactive = readField(readOptionalFile(memoryStat), 'inactive_file')
    return {
      cpuNs: readField(cpuStat, 'usage_usec') * 1000,
      throttledNs: readField(cpuStat, 'throttled_usec') * 1000,
      ...periodsOf(cpuStat),
      memoryBytes: Math.max(0, Number(readOptionalFile(memory)) - inactive),
      blockReadBytes: readBytes,
      blockWriteBytes: writtenBytes,
    }
  }
}

const periodsOf = (cpuStat: string): Pick<Counters, 'periods' | 'throttledPeriods'> => ({
  periods: readField(cpuStat, 'nr_periods'),
  throttledPeriods: readField(cpuStat, 'nr_throttled'),
})
