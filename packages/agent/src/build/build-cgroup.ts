import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setInterval as every } from 'node:timers/promises'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'

/** Below the root of the hierarchy, beside the cgroups of Docker and of the system, so that its weight counts against theirs. */
export const buildCgroup = '/berth-builds'

/** A tenth of what any other container or service weighs. */
export const buildShares = 100
const versionTwoWeight = 10

/** Of Docker's `/info`. */
export interface CgroupFacts {
  readonly CgroupDriver?: string
}

/** The cgroup that the steps of builds run in. */
export interface BuildCgroup {
  /** CPU time that builds have used so far. */
  cpuTimeMs(): Promise<number>
  /** Idle: anything else that wants the core gets it at once. False when the kernel (before 5.15) has no such thing. */
  setIdle(idle: boolean): Promise<boolean>
}

/**
 * Makes the cgroup with its small weight. undefined when Docker uses systemd: there build containers are siblings of all other containers
 * and services, and a weight of their own has the same effect.
 */
export async function prepareBuildCgroup(
  facts: CgroupFacts,
  log: Logger,
  mountinfo = '/proc/self/mountinfo',
): Promise<BuildCgroup | undefined> {
  if (facts.CgroupDriver !== 'cgroupfs') return undefined
  const cpu = findHierarchy(await readFile(mountinfo, 'utf8'), 'cpu')
  const accounting = findHierarchy(await readFile(mountinfo, 'utf8'), 'cpuacct')
  if (cpu === undefined || accounting === undefined) return undefined
  const [dir, usageDir] = [join(cpu.path, buildCgroup), join(accounting.path, buildCgroup)]
  const [control, weight] =
    cpu.version === 1 ? (['cpu.shares', buildShares] as const) : (['cpu.weight', versionTwoWeight] as const)
  try {
    for (const each of [dir, usageDir]) await mkdir(each, { recursive: true })
    // An idle group has no weight to set.
    await writeIfThere(join(dir, 'cpu.idle'), '0')
    await writeFile(join(dir, control), String(weight))
  } catch (error) {
    const reason = messageOf(error)
    log.warn(
      { err: error },
      `make the cgroup ${dir} of builds: ${reason}; each of their containers has its own small weight`,
    )
    return undefined
  }
  return {
    cpuTimeMs: () => readCpuTimeMs(usageDir, accounting.version),
    setIdle: (idle) => writeIfThere(join(dir, 'cpu.idle'), idle ? '1' : '0'),
  }
}

/** Docker makes the cgroup in every hierarchy. One in which a build runs stays, and so does the one of another agent. */
export async function removeBuildCgroup(mountinfo = '/proc/self/mountinfo'): Promise<void> {
  const points = mountsOf(await readFile(mountinfo, 'utf8')).filter(({ type }) => type.startsWith('cgroup'))
  for (const { path } of points) {
    await rmdir(join(path, buildCgroup)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'EBUSY' && error.code !== 'ENOTEMPTY') throw error
    })
  }
}

export interface YieldOptions {
  readonly signal: AbortSignal
  readonly log: Logger
  readonly intervalMs?: number
}

const lookMs = 1000
/** Less than this part of one core is starving. */
const minimumCores = 0.1

/**
 * Keeps builds in the idle class, where they are not felt even by what needs the CPU within a millisecond, as long as that leaves them
 * something. On a machine whose services take all that there is they would stand still: then they get their small weight until they
 * have moved again. Ends with the signal.
 */
export async function yieldToOthers(
  cgroup: BuildCgroup,
  { signal, log, intervalMs = lookMs }: YieldOptions,
): Promise<void> {
  let isIdle = true
  try {
    if (!(await cgroup.setIdle(isIdle))) return
    let before = await cgroup.cpuTimeMs()
    for await (const _ of every(intervalMs, undefined, { signal })) {
      const now = await cgroup.cpuTimeMs()
      const starves = now - before < minimumCores * intervalMs
      before = now
      if (isIdle !== starves) continue
      isIdle = !starves
      await cgroup.setIdle(isIdle)
    }
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, `weigh builds against services: ${messageOf(error)}`)
  }
}

/** Where a controller is mounted; a machine that has both versions keeps these in version 1. */
export function findHierarchy(
  mountinfo: string,
  controller: 'cpu' | 'cpuacct',
): { readonly path: string; readonly version: 1 | 2 } | undefined {
  const mounts = mountsOf(mountinfo)
  const first = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller))
  if (first !== undefined) return { path: first.path, version: 1 }
  const second = mounts.find(({ type }) => type === 'cgroup2')
  return second === undefined ? undefined : { path: second.path, version: 2 }
}

const mountsOf = (mountinfo: string): { readonly path: string; readonly type: string; readonly options: string[] }[] =>
  mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const path = before.split(' ')[4]
    const [type = '', , options = ''] = after.split(' ')
    return path === undefined ? [] : [{ path, type, options: options.split(',') }]
  })

async function readCpuTimeMs(dir: string, version: 1 | 2): Promise<number> {
  if (version === 1) return Number(await readFile(join(dir, 'cpuacct.usage'), 'utf8')) / 1e6
  const usage = /^usage_usec (\d+)$/m.exec(await readFile(join(dir, 'cpu.stat'), 'utf8'))?.[1]
  return Number(usage ?? 0) / 1000
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
