import { join } from 'node:path'
import { type NodeCores, parseCoreList } from '@berth/core'
import { readOptionalFile } from '../metrics/small-file.ts'

export interface HostCoresOptions {
  readonly sysRoot?: string
  readonly procRoot?: string
}

/** The cores that are switched on and that this process, so also what else runs on the node, may use; by NUMA node. */
export function readHostCores({ sysRoot = '/sys', procRoot = '/proc' }: HostCoresOptions = {}): NodeCores {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readOptionalFile(join(procRoot, 'self/status')))?.[1]
  const online = coresIn(readOptionalFile(join(sysRoot, 'devices/system/cpu/online')))
  const usable = allowed === undefined ? online : intersection(online, coresIn(allowed))
  const numa = coresIn(readOptionalFile(join(sysRoot, 'devices/system/node/online')))
    .map((node) => coresIn(readOptionalFile(join(sysRoot, `devices/system/node/node${node}/cpulist`))))
    .map((cores) => intersection(cores, usable))
    .filter((cores) => cores.length > 0)
  const placed = new Set(numa.flat())
  // A kernel without NUMA, or one that leaves cores out of it.
  const rest = usable.filter((core) => !placed.has(core))
  return { count: usable.length, numa: rest.length === 0 ? numa : [...numa, rest] }
}

const intersection = (cores: readonly number[], other: readonly number[]): number[] =>
  cores.filter((core) => other.includes(core))

function coresIn(text: string): readonly number[] {
  const cores = parseCoreList(text.trim())
  return cores.ok ? cores.value : []
}
