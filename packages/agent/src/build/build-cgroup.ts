import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'

/** Below the root of the hierarchy, beside the cgroups of Docker and of the system: builds yield to all of them. */
export const buildCgroup = '/berth-builds'

export interface CgroupFacts {
  readonly CgroupDriver?: string
  readonly CgroupVersion?: string
}

/**
 * Makes the cgroup that builds run in and gives it the lowest weight: `cpu.idle` (Linux 5.15), where any other work preempts it at once,
 * and the smallest shares where the kernel has no such thing. undefined when Docker uses systemd: there build containers are siblings of
 * all other containers and services, and their own smallest weight does the same.
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
  try {
    await mkdir(dir, { recursive: true })
    const idle = await writeIfThere(join(dir, 'cpu.idle'), '1')
    // An idle group has no weight to set.
    if (!idle)
      await writeFile(
        join(dir, hierarchy.version === 1 ? 'cpu.shares' : 'cpu.weight'),
        hierarchy.version === 1 ? '2' : '1',
      )
    return buildCgroup
  } catch (error) {
    log.warn(
      { err: error },
      `make the cgroup ${dir} of builds: ${messageOf(error)}; builds only get small weights of their own`,
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

async function writeIfThere(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'r+' })
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'EOPNOTSUPP') return false
    throw error
  }
}
