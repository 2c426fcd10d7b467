import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Counters } from './counters.ts'
import { parseBlkio, parseEstablished, parseIoStat, parseNetDev, readField } from './kernel-files.ts'
import { readOptionalFile, readSmallFile } from './small-file.ts'

/** Where a container's figures are read. */
export interface ContainerSource {
  /** Throws when the container is gone. */
  read(): Counters
}

export interface Roots {
  readonly cgroupRoot: string
  readonly procRoot: string
}

type Usage = Omit<Counters, 'networkInBytes' | 'networkOutBytes' | 'tcpConnections'>

/** Finds the cgroups of a container by its first process. Throws when that is gone. */
export function openContainer({ cgroupRoot, procRoot }: Roots, pid: number): ContainerSource {
  const cgroups = parseCgroups(readSmallFile(join(procRoot, String(pid), 'cgroup')))
  const readUsage = usageReader(cgroupRoot, cgroups)
  const network = join(procRoot, String(pid), 'net')
  const [devices, connections] = [join(network, 'dev'), join(network, 'snmp')]
  return {
    read() {
      // First: when it is gone, the process id may be another's by now.
      const usage = readUsage()
      const { receivedBytes, sentBytes } = parseNetDev(readOptionalFile(devices), (name) => name !== 'lo')
      return {
        ...usage,
        networkInBytes: receivedBytes,
        networkOutBytes: sentBytes,
        tcpConnections: parseEstablished(readOptionalFile(connections)),
      }
    },
  }
}

interface Cgroups {
  /** Path in version 2. */
  readonly unified: string | undefined
  /** By controller of version 1: its hierarchy's name (`cpu,cpuacct`) and the path in it. */
  readonly controllers: ReadonlyMap<string, { readonly hierarchy: string; readonly path: string }>
}

/** `/proc/<pid>/cgroup`: `0::/path` is version 2, `4:memory:/path` a hierarchy of version 1; a hybrid system has both. */
function parseCgroups(text: string): Cgroups {
  let unified: string | undefined
  const controllers = new Map<string, { hierarchy: string; path: string }>()
  for (const line of text.trim().split('\n')) {
    const [id, hierarchy = '', ...rest] = line.split(':')
    const path = rest.join(':')
    if (id === '0') unified = path
    else for (const controller of hierarchy.split(',')) controllers.set(controller, { hierarchy, path })
  }
  return { unified, controllers }
}

/** Version 1 where it has the CPU's accounting, as the controllers of a hybrid system are there. */
function usageReader(cgroupRoot: string, { unified, controllers }: Cgroups): () => Usage {
  if (!controllers.has('cpuacct')) return unifiedReader(join(cgroupRoot, unified ?? '/'))
  const directory = (controller: string): string => {
    const { hierarchy, path } = controllers.get(controller) ?? { hierarchy: controller, path: '/' }
    const mounted = join(cgroupRoot, hierarchy)
    return join(existsSync(mounted) ? mounted : join(cgroupRoot, controller), path)
  }
  return versionOneReader(directory)
}

function versionOneReader(directory: (controller: string) => string): () => Usage {
  const usage = join(directory('cpuacct'), 'cpuacct.usage')
  const throttling = join(directory('cpu'), 'cpu.stat')
  const memory = join(directory('memory'), 'memory.usage_in_bytes')
  const memoryStat = join(directory('memory'), 'memory.stat')
  const blocks = join(directory('blkio'), 'blkio.throttle.io_service_bytes_recursive')
  return () => {
    const cpuNs = Number(readSmallFile(usage))
    const { readBytes, writtenBytes } = parseBlkio(readOptionalFile(blocks))
    const inactive = readField(readOptionalFile(memoryStat), 'total_inactive_file')
    return {
      cpuNs,
      throttledNs: readField(readOptionalFile(throttling), 'throttled_time'),
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
      memoryBytes: Math.max(0, Number(readOptionalFile(memory)) - inactive),
      blockReadBytes: readBytes,
      blockWriteBytes: writtenBytes,
    }
  }
}
