import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { waitUntil } from './wait-until.ts'

const deadlineMs = 20_000
/** Above the cgroups of containers that dockerds of tests start, each below the name of its folder. */
const cgroupTop = 'berth-test'
/** Where builds put theirs. */
const buildCgroup = 'berth-builds'

export const cgroupParentOf = (dir: string): string => `/${cgroupTop}/${basename(dir)}`

/**
 * Takes away all that a test has made in and around its folder: processes, mounts, its network namespace, cgroups, the folder. Any part
 * may be missing; it is good to call it again. Only what carries the folder's unique name is touched.
 */
export async function removeScratch(dir: string): Promise<void> {
  if (!/\/berth-[a-z]+-[A-Za-z0-9]{6}$/.test(dir)) throw new Error(`${dir} is no folder of a test`)
  await killProcessesOf(dir)
  unmountBelow(dir)
  const namespace = basename(dir)
  if (existsSync(`/var/run/netns/${namespace}`)) execFileSync('ip', ['netns', 'delete', namespace])
  await removeCgroupsOf(dir)
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}

/** Those whose command line names the folder, all that come from them, and what runs in their containers. */
export async function killProcessesOf(dir: string): Promise<void> {
  const gone = (): boolean => {
    const doomed = processesOf(dir)
    for (const pid of doomed) kill(pid)
    return doomed.length === 0
  }
  await waitUntil(`the processes of ${dir} to end`, gone, deadlineMs, () => processesOf(dir).join())
}

export function unmountBelow(directory: string): void {
  for (const point of mountsBelow(directory).toReversed()) execFileSync('umount', ['--lazy', point])
}

function mountsBelow(directory: string): string[] {
  const points = readOr('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
  return points.filter((each) => `${each}/`.startsWith(`${directory}/`))
}

function processesOf(dir: string): number[] {
  const children = Map.groupBy(livingProcesses(), ({ parent }) => parent)
  const descendants = (pid: number): number[] =>
    (children.get(pid) ?? []).flatMap((child) => [child.pid, ...descendants(child.pid)])
  const named = [...children.values()].flat().filter(({ pid }) => pid !== process.pid && names(pid, dir))
  const inContainers = cgroupsOf(dir).flatMap((cgroup) => readOr(join(cgroup, 'cgroup.procs')).trim().split('\n'))
  const all = [...named.flatMap(({ pid }) => [pid, ...descendants(pid)]), ...inContainers.map(Number)]
  return [...new Set(all)].filter((pid) => pid > 1 && pid !== process.pid)
}

/** The guardian of the folder, who calls this, names it too. */
function names(pid: number, dir: string): boolean {
  const command = readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
  return command.includes(dir) && !command.includes('scratch-guardian')
}

/** A zombie does nothing any more. */
function livingProcesses(): { readonly pid: number; readonly parent: number }[] {
  return numericNames('/proc').flatMap((pid) => {
    const stat = readOr(`/proc/${pid}/stat`)
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === '' || state === 'Z' || state === 'X' ? [] : [{ pid, parent: Number(parent) }]
  })
}

const numericNames = (directory: string): number[] =>
  readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

/** The kernel lets go of a cgroup some moments after its last process. */
async function removeCgroupsOf(dir: string): Promise<void> {
  const remove = (): boolean => {
    for (const cgroup of cgroupsOf(dir)) tryRemove(cgroup)
    return cgroupsOf(dir).length === 0
  }
  await waitUntil(`the cgroups of ${dir} to be removable`, remove, deadlineMs, () => cgroupsOf(dir).join())
  for (const root of cgroupRoots()) tryRemove(join(root, cgroupTop))
}

/** Children before their parents. */
function cgroupsOf(dir: string): string[] {
  const containers = namesIn(join(dir, 'data/containers'))
  return cgroupRoots().flatMap((root) => [
    ...descend(join(root, cgroupParentOf(dir))),
    ...containers.flatMap((id) => descend(join(root, buildCgroup, id))),
  ])
}

function cgroupRoots(): string[] {
  return readOr('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
}

function descend(directory: string): string[] {
  if (!existsSync(directory)) return []
  const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [...children.flatMap((entry) => descend(join(directory, entry.name))), directory]
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : []
}

function tryRemove(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Busy still, or another test's.
  }
}

function readOr(path: string, otherwise = ''): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
