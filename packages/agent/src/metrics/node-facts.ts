import { readFile, stat, statfs } from 'node:fs/promises'
import { availableParallelism, release } from 'node:os'
import { dirname, join } from 'node:path'
import type { NodeStatus } from '@berth/core'
import { readHostCores } from '../cores/host-cores.ts'
import { readUplink } from './uplink-facts.ts'

/** The part of a node's status that its kernel knows. */
export type NodeFacts = Pick<
  NodeStatus,
  'cpuMilli' | 'cores' | 'memoryBytes' | 'diskBytes' | 'diskFreeBytes' | 'kernel' | 'os' | 'cgroup' | 'uplink'
>

export interface NodeFactsOptions {
  /** The file system that holds images and containers; where it does not exist yet, its nearest parent counts. */
  readonly diskPath?: string
  readonly procRoot?: string
  readonly sysRoot?: string
  readonly cgroupRoot?: string
  readonly osReleasePath?: string
}

export async function readNodeFacts(options: NodeFactsOptions = {}): Promise<NodeFacts> {
  const { diskPath = '/var/lib/docker', procRoot = '/proc', cgroupRoot = '/sys/fs/cgroup' } = options
  const [memory, disk, os, cgroup, uplink] = await Promise.all([
    readFile(join(procRoot, 'meminfo'), 'utf8'),
    statfsNearest(diskPath),
    readOsName(options.osReleasePath ?? '/etc/os-release'),
    readCgroupVersion(cgroupRoot),
    readUplink(options),
  ])
  const cores = readHostCores(options.sysRoot === undefined ? {} : { sysRoot: options.sysRoot })
  return {
    cpuMilli: (cores.count || availableParallelism()) * 1000,
    ...(cores.count === 0 ? {} : { cores }),
    memoryBytes: Number(/^MemTotal:\s+(\d+) kB/m.exec(memory)?.[1] ?? 0) * 1024,
    diskBytes: disk.blocks * disk.bsize,
    diskFreeBytes: disk.bavail * disk.bsize,
    kernel: release(),
    os,
    cgroup,
    ...(uplink === undefined ? {} : { uplink }),
  }
}

async function statfsNearest(path: string): Promise<{ blocks: number; bavail: number; bsize: number }> {
  try {
    return await statfs(path)
  } catch (error) {
    if (path === dirname(path)) throw error
    return statfsNearest(dirname(path))
  }
}

async function readOsName(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux'
}

/** Version 2 has its list of controllers in the root; beside version 1 (hybrid) it is mounted below `unified` and holds no controller that is of use. */
async function readCgroupVersion(cgroupRoot: string): Promise<'v1' | 'v2'> {
  const found = await stat(join(cgroupRoot, 'cgroup.controllers')).catch(() => undefined)
  return found === undefined ? 'v1' : 'v2'
}
