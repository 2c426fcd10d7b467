import { join } from 'node:path'
import type { ContainerCgroups, Roots } from '../metrics/container-cgroups.ts'
import { readOptionalFile } from '../metrics/small-file.ts'

/** More threads than this are not looked at one by one. */
const maxThreads = 64

/**
 * How long, in nanoseconds so far, something of a container was ready to run and had no core: what tells who wants more from who has enough.
 * The kernel says it for a cgroup (`cpu.pressure`, kernels of 4.20 and newer that have it switched on; also beside version 1); where it
 * does not, the waiting times of its threads are added up.
 */
export function openWaits(roots: Roots, cgroups: ContainerCgroups): () => number {
  const counted = cgroups.version === 2 ? cgroups.directory : cgroups.unified
  const pressure = counted === undefined ? undefined : join(counted, 'cpu.pressure')
  if (pressure !== undefined && readPressureNs(pressure) !== undefined) return () => readPressureNs(pressure) ?? 0
  const tasks =
    cgroups.version === 2 ? join(cgroups.directory, 'cgroup.threads') : join(cgroups.directory('cpuacct'), 'tasks')
  return sumOfThreads(roots.procRoot, tasks)
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=5637303956`, microseconds. */
function readPressureNs(path: string): number | undefined {
  const total = /^some .*total=(\d+)/m.exec(readOptionalFile(path))?.[1]
  return total === undefined ? undefined : Number(total) * 1000
}

/** `/proc/<tid>/schedstat`: time on a core, time waiting for one (ns), turns. What a thread waited before it was first seen does not count. */
function sumOfThreads(procRoot: string, tasks: string): () => number {
  let known = new Map<string, number>()
  let sum = 0
  return () => {
    const seen = new Map<string, number>()
    for (const thread of readOptionalFile(tasks).trim().split('\n').slice(0, maxThreads)) {
      const [, waited] = readOptionalFile(join(procRoot, thread, 'schedstat')).split(' ')
      if (waited === undefined) continue
      seen.set(thread, Number(waited))
      sum += Math.max(0, Number(waited) - (known.get(thread) ?? Number(waited)))
    }
    known = seen
    return sum
  }
}
