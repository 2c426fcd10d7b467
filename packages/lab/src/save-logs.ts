import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lab } from './lab.ts'

/** Of a host's disk: what its processes wrote about themselves. */
const places = [
  ['log', '.'],
  ['berth/logs', 'berth'],
] as const

/** Copies the logs of all hosts into a directory of each host's name, since a lab takes its disks with it. Gives the directory. */
export async function saveLogs(lab: Pick<Lab, 'hosts'>, directory: string): Promise<string> {
  for (const host of lab.hosts) {
    for (const [from, to] of places) {
      const target = join(directory, host.name, to)
      await mkdir(target, { recursive: true })
      // A log that is rotated away meanwhile is no reason to lose the others.
      await cp(join(host.dir, from), target, { recursive: true }).catch(() => undefined)
    }
  }
  return directory
}
