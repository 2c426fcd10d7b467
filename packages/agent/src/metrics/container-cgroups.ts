import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readSmallFile } from './small-file.ts'

export interface Roots {
  readonly cgroupRoot: string
  readonly procRoot: string
}

/** Where the kernel keeps one container's cgroups. */
export type ContainerCgroups =
  | {
      readonly version: 2
      /** From the root of the hierarchy: `/docker/<id>`. */
      readonly path: string
      readonly directory: string
    }
  | {
      readonly version: 1
      /** Of the controller `cpu`. */
      readonly path: string
      readonly directory: (controller: string) => string
      /** On a hybrid system: no controllers, but what version 2 counts for every cgroup. */
      readonly unified: string | undefined
    }

/**
 * Finds the cgroups of a container by its first process, whatever engine and driver made them. Version 1 where it has the CPU's accounting, as
 * the controllers of a hybrid system are there. Throws when the process is gone.
 */
export function findCgroups({ cgroupRoot, procRoot }: Roots, pid: number): ContainerCgroups {
  const { unified, controllers } = parseCgroups(readSmallFile(join(procRoot, String(pid), 'cgroup')))
  if (!controllers.has('cpuacct')) {
    const path = unified ?? '/'
    return { version: 2, path, directory: join(cgroupRoot, path) }
  }
  return {
    version: 1,
    path: controllers.get('cpu')?.path ?? '/',
    directory: (controller) => {
      const { hierarchy, path } = controllers.get(controller) ?? { hierarchy: controller, path: '/' }
      const mounted = join(cgroupRoot, hierarchy)
      return join(existsSync(mounted) ? mounted : join(cgroupRoot, controller), path)
    },
    unified: unified === undefined ? undefined : join(cgroupRoot, 'unified', unified),
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
