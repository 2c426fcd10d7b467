import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { MAX_INDEX } from './addresses.ts'
import { isAlive, type ProcessIdentity } from './process-table.ts'

/**
 * What a lab consists of, written before each part is made. Processes and cgroups need no list: they are all below the lab's cgroup, whose
 * path follows from the index like the names of interfaces (`addresses.ts`); namespaces and mounts live and die with the processes.
 */
export interface Manifest {
  readonly version: 1
  readonly index: number
  /** Null: kept until somebody disposes of it by name. */
  readonly owner: ProcessIdentity | null
  readonly createdAt: string
  /** Removed with the lab. */
  readonly dir: string
  readonly switch: ProcessIdentity | null
  readonly hosts: readonly HostRecord[]
  readonly routes: readonly RouteRecord[]
}

export interface HostRecord {
  readonly name: string
  readonly address: string
  readonly dockerdPath: string | null
  readonly usrLayer: string | null
  readonly ownClock?: boolean
  readonly init: ProcessIdentity | null
}

export interface RouteRecord {
  readonly cidr: string
  readonly via: string
}

/** One directory a lab, of the name of its index: making it is what claims the index. */
export const REGISTRY = '/var/lib/berth-lab'

const CLAIM_PREFIX = '.claim-'
const STALE_CLAIM_MS = 60_000

export const registryEntry = (index: number): string => join(REGISTRY, String(index))
const manifestFile = (index: number): string => join(registryEntry(index), 'manifest.json')

/**
 * Claims the lowest free index. The directory appears with the manifest in it, by one rename, so that nobody ever sees a claim without
 * an owner; two claimants of one index cannot both succeed, since a rename onto a directory that is not empty fails.
 */
export function claimIndex(make: (index: number) => Manifest, isUsable: (index: number) => boolean): Manifest {
  for (let index = 1; index <= MAX_INDEX; index++) {
    if (readManifest(index) !== undefined || !isUsable(index)) continue
    const manifest = make(index)
    const staged = stage(manifest)
    try {
      renameSync(staged, registryEntry(index))
      return manifest
    } catch {
      rmSync(staged, { recursive: true, force: true })
    }
  }
  throw new BerthError(
    'lab.no-index',
    `create a lab: all ${MAX_INDEX} are taken; see \`lab ls\`, and \`lab down\` what is not needed`,
  )
}

const stage = (manifest: Manifest): string => {
  mkdirSync(REGISTRY, { recursive: true })
  const staged = mkdtempSync(join(REGISTRY, CLAIM_PREFIX))
  writeFileSync(join(staged, 'manifest.json'), JSON.stringify(manifest, null, 2))
  return staged
}

export function writeManifest(manifest: Manifest): void {
  const file = manifestFile(manifest.index)
  writeFileSync(`${file}.new`, JSON.stringify(manifest, null, 2))
  renameSync(`${file}.new`, file)
}

export function readManifest(index: number): Manifest | undefined {
  let text: string
  try {
    text = readFileSync(manifestFile(index), 'utf8')
  } catch {
    return undefined
  }
  try {
    return JSON.parse(text) as Manifest
  } catch {
    return brokenManifest(index)
  }
}

/** Writes are atomic, so this is a damaged disk's: nobody owns it, and all that can be known of it follows from the index. */
const brokenManifest = (index: number): Manifest => ({
  version: 1,
  index,
  owner: { pid: 0, startTicks: 0, bootId: '' },
  createdAt: '',
  dir: registryEntry(index),
  switch: null,
  hosts: [],
  routes: [],
})

export function listManifests(): Manifest[] {
  return registryNames()
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((index) => readManifest(index) ?? [])
}

export const hasDeadOwner = (manifest: Manifest): boolean => manifest.owner !== null && !isAlive(manifest.owner)

/** Directories of processes that died between staging a claim and making it. */
export function removeStaleClaims(now: number): void {
  for (const name of registryNames().filter((entry) => entry.startsWith(CLAIM_PREFIX))) {
    const path = join(REGISTRY, name)
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (modified !== undefined && now - modified > STALE_CLAIM_MS) rmSync(path, { recursive: true, force: true })
  }
}

const registryNames = (): string[] => {
  try {
    return readdirSync(REGISTRY)
  } catch {
    return []
  }
}
