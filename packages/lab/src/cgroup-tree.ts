import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { identify, isAlive, type ProcessIdentity, sendSignal } from './process-table.ts'
import { waitFor } from './wait-for.ts'

/** One mounted cgroup hierarchy of the machine. */
export interface CgroupHierarchy {
  readonly mountPoint: string
  readonly type: 'cgroup' | 'cgroup2'
  /** What `mount -o` needs to mount the same hierarchy again. */
  readonly mountOptions: string
}

/** Processes of a host on version 2, which forbids processes in an inner node; also made beside version 1. */
export const LEAF = 'system'

export const parseHierarchies = (mountinfo: string): CgroupHierarchy[] =>
  mountinfo.split('\n').flatMap((line): CgroupHierarchy[] => {
    const [before, after] = line.split(' - ')
    const mountPoint = before?.split(' ')[4]
    const [type, , superOptions] = after?.split(' ') ?? []
    if (mountPoint === undefined || superOptions === undefined) return []
    if (type === 'cgroup2') return [{ mountPoint, type, mountOptions: 'rw' }]
    return type === 'cgroup' ? [{ mountPoint, type, mountOptions: versionOneOptions(superOptions) }] : []
  })

/** `rw,xattr,name=systemd` -> `none,name=systemd`; `rw,cpu,cpuacct` -> `cpu,cpuacct`. */
const versionOneOptions = (superOptions: string): string => {
  const options = superOptions.split(',')
  const name = options.find((option) => option.startsWith('name='))
  const notControllers = /^(rw|ro|xattr|clone_children|cpuset_v2_mode|noprefix|release_agent=.*|name=.*)$/
  return name === undefined ? options.filter((option) => !notControllers.test(option)).join(',') : `none,${name}`
}

export const hierarchies = (): CgroupHierarchy[] => parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'))

/**
 * A cgroup of the same path in every hierarchy of the machine: the record, kept by the kernel, of every process below it. Process
 * ids read from it cannot be stale, so all of a lab's or a host's processes are found and killed through it.
 */
export class CgroupTree {
  readonly path: string
  readonly hierarchies: readonly CgroupHierarchy[]

  constructor(path: string, mounted: readonly CgroupHierarchy[] = hierarchies()) {
    this.path = path
    this.hierarchies = mounted
  }

  create(): void {
    for (const hierarchy of this.hierarchies) {
      const directory = join(hierarchy.mountPoint, this.path)
      mkdirSync(directory, { recursive: true })
      if (hierarchy.type === 'cgroup2') mkdirSync(join(directory, LEAF), { recursive: true })
      for (const level of levels(hierarchy.mountPoint, directory)) prepareLevel(hierarchy, level, level === directory)
    }
  }

  /** Files that a process writes 0 to in order to move here itself. */
  joinFiles(place: 'root' | 'leaf'): string[] {
    return this.hierarchies.map(({ mountPoint, type }) =>
      join(mountPoint, this.path, ...(type === 'cgroup2' && place === 'leaf' ? [LEAF] : []), 'cgroup.procs'),
    )
  }

  /** Moves a process of ours into the leaf. */
  adopt(pid: number): void {
    for (const file of this.joinFiles('leaf')) writeFileSync(file, String(pid))
  }

  members(): number[] {
    const found = new Set<number>()
    for (const directory of this.#directories()) {
      for (const pid of readLines(join(directory, 'cgroup.procs'))) found.add(Number(pid))
    }
    return [...found]
  }

  /**
   * SIGKILLs every process of the tree, and those they start meanwhile, and waits until they are gone. A dying process leaves its cgroup some
   * time before it ends (the first process of a namespace waits for all others), so an empty tree alone is not the end.
   */
  async killAll(signal?: AbortSignal): Promise<void> {
    const killed = new Map<number, ProcessIdentity>()
    await waitFor(() => this.#killOnce(killed), {
      what: `the processes of cgroup ${this.path} to end after SIGKILL`,
      deadlineMs: 30_000,
      signal,
      explain: () =>
        `still there: ${[...killed.values()]
          .filter(isAlive)
          .map(({ pid }) => pid)
          .join(', ')}`,
    })
  }

  #killOnce(killed: Map<number, ProcessIdentity>): boolean {
    const members = this.members()
    for (const pid of members) {
      const identity = identify(pid)
      if (identity !== undefined) killed.set(pid, identity)
      sendSignal(pid, 'SIGKILL')
    }
    return members.length === 0 && ![...killed.values()].some(isAlive)
  }

  /** Removes the cgroups, deepest first. The kernel lets go of a cgroup some moments after its last process. */
  async remove(signal?: AbortSignal): Promise<void> {
    await waitFor(() => this.#removeOnce(), {
      what: `cgroup ${this.path} to be removable`,
      deadlineMs: 10_000,
      signal,
      explain: () => this.#directories().join(', '),
    })
  }

  #removeOnce(): boolean {
    for (const directory of this.#directories()) {
      try {
        rmdirSync(directory)
      } catch {
        // Busy still: the caller asks again.
      }
    }
    return this.#directories().length === 0
  }

  /** Every directory of the tree, children before their parents. */
  #directories(): string[] {
    return this.hierarchies.flatMap(({ mountPoint }) => descend(join(mountPoint, this.path)))
  }
}

const descend = (directory: string): string[] => {
  try {
    const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [...children.flatMap((entry) => descend(join(directory, entry.name))), directory]
  } catch {
    return []
  }
}

/** Every directory from the hierarchy's root to `bottom`, both included. */
const levels = (top: string, bottom: string): string[] =>
  bottom === top ? [top] : [...levels(top, dirname(bottom)), bottom]

const prepareLevel = (hierarchy: CgroupHierarchy, level: string, isBottom: boolean): void => {
  if (hierarchy.type === 'cgroup2') {
    // The host's own root stays without: Docker hands the controllers on from there.
    if (!isBottom && hierarchy.mountPoint === '/sys/fs/cgroup') delegateControllers(level)
    return
  }
  if (level === hierarchy.mountPoint) return
  // A new cpuset of version 1 is empty and takes no process until it is filled.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (!existsSync(join(level, file))) continue
    if (readFileSync(join(level, file), 'utf8').trim() === '') {
      writeFileSync(join(level, file), readFileSync(join(dirname(level), file)))
    }
  }
}

const delegateControllers = (level: string): void => {
  const available = readLines(join(level, 'cgroup.controllers')).flatMap((line) => line.split(' '))
  writeFileSync(join(level, 'cgroup.subtree_control'), available.map((name) => `+${name}`).join(' '))
}

const readLines = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}
