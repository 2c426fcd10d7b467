import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'

/** Below the root of the hierarchy, beside the cgroups of Docker and of the system, so that its weight counts against theirs. */
export const buildCgroup = '/berth-builds'

/** Of Docker's `/info`. */
export interface CgroupFacts {
  readonly CgroupDriver?: string
}

/**
 * A tenth of what any other container or service weighs: enough that a build ends on a machine whose services take all that they get,
 * too little to be felt by them. `cpu.idle` was tried too: no gentler, and a build beside busy services hardly moved.
 */
export const buildShares = 100
const versionTwoWeight = 10

/**
 * Makes the cgroup that builds run in, with its small weight. undefined when Docker uses systemd: there build containers are siblings of
 * all other containers and services, and a weight of their own does the same.
 */
export async function prepareBuildCgroup(
  facts: CgroupFacts,
  log: Logger,
  mountinfo = '/proc/self/mountinfo',
): Promise<string | undefined> {
  if (facts.CgroupDriver !== 'cgroupfs') return undefined
  const hierarchy = findCpuHierarchy(await readFile(mountinfo, 'utf8'))
  if (hierarchy === undefined) return undefined
  const dir = join(hierarchy.path, buildCgroup)
  const [control, weight] =
    hierarchy.version === 1 ? (['cpu.shares', buildShares] as const) : (['cpu.weight', versionTwoWeight] as const)
  try {
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, control), String(weight))
    return buildCgroup
  } catch (error) {
    const reason = messageOf(error)
    log.warn(
      { err: error },
      `make the cgroup ${dir} of builds: ${reason}; each of their containers has its own small weight`,
    )
    return undefined
  }
}

/** Where the cpu controller is mounted; a machine that has both versions keeps it in version 1. */
export function findCpuHierarchy(mountinfo: string): { readonly path: string; readonly version: 1 | 2 } | undefined {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const path = before.split(' ')[4]
    const [type = '', , options = ''] = after.split(' ')
    return path === undefined ? [] : [{ path, type, options: options.split(',') }]
  })
  const first = mounts.find(({ type, options }) => type === 'cgroup' && options.includes('cpu'))
  if (first !== undefined) return { path: first.path, version: 1 }
  const second = mounts.find(({ type }) => type === 'cgroup2')
  return second === undefined ? undefined : { path: second.path, version: 2 }
}
