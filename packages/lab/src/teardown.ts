import { rmdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CGROUP_TOP, namesOf } from './addresses.ts'
import { CgroupTree, hierarchies } from './cgroup-tree.ts'
import type { LabLog } from './lab.ts'
import { unplugMachine } from './lab-switch.ts'
import { tryLock } from './lock.ts'
import {
  hasDeadOwner,
  listManifests,
  type Manifest,
  REGISTRY,
  readManifest,
  registryEntry,
  removeStaleClaims,
} from './manifest.ts'

/**
 * Removes everything of a lab, whether or not its making ever finished. Any part may be missing. The registry's entry goes last: as
 * long as something is left, the index stays taken.
 */
export async function teardown(manifest: Manifest, signal?: AbortSignal): Promise<void> {
  const names = namesOf(manifest.index)
  await unplugMachine(names)
  const cgroup = new CgroupTree(names.cgroup)
  await cgroup.killAll(signal)
  await cgroup.remove(signal)
  await rm(manifest.dir, { recursive: true, force: true, maxRetries: 5 })
  await rm(registryEntry(manifest.index), { recursive: true, force: true })
  for (const directory of [...hierarchies().map(({ mountPoint }) => join(mountPoint, CGROUP_TOP)), REGISTRY]) {
    removeIfEmpty(directory)
  }
}

const removeIfEmpty = (directory: string): void => {
  try {
    rmdirSync(directory)
  } catch {
    // Other labs are in it, or it is gone.
  }
}

/** One teardown of a lab at a time on the machine; gives false when another process is at it. */
export async function teardownLocked(
  index: number,
  log: LabLog,
  isWanted: (manifest: Manifest) => boolean,
): Promise<boolean> {
  await using lock = await tryLock(`berth-lab-teardown-${index}`)
  // Read again under the lock: it may be another lab of the same index by now.
  const manifest = readManifest(index)
  if (lock === undefined || manifest === undefined || !isWanted(manifest)) return false
  await teardown(manifest)
  log.info({ lab: index }, 'lab removed')
  return true
}

/** Removes the labs whose owner died. Gives their indices. */
export async function cleanLabs(log: LabLog): Promise<number[]> {
  const cleaned: number[] = []
  for (const { index } of listManifests().filter(hasDeadOwner)) {
    log.warn({ lab: index }, 'the owner of this lab died: removing it')
    if (await teardownLocked(index, log, hasDeadOwner)) cleaned.push(index)
  }
  removeStaleClaims(Date.now())
  return cleaned
}
