import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../state/atomic-file.ts'

/** Where Docker looks for whom to trust at a registry, at every pull and push: no restart is needed. */
const certsDirectory = '/etc/docker/certs.d'
/** Other files there are their owner's. */
const ownFile = 'berth-cluster.crt'

/** Docker trusts the cluster's authority at that one registry, besides what it trusts anyway. */
export async function trustAuthority(host: string, authorityPem: string, directory = certsDirectory): Promise<void> {
  const path = join(directory, host, ownFile)
  const known = await readFile(path, 'utf8').catch(() => undefined)
  if (known !== authorityPem) await writeFileAtomic(path, authorityPem, 0o644)
}

/** Takes away what Berth has written there, and folders that have nothing else in them. */
export async function forgetTrust(directory = certsDirectory): Promise<void> {
  for (const host of await namesIn(directory)) {
    const folder = join(directory, host)
    const names = await namesIn(folder)
    if (!names.includes(ownFile)) continue
    await rm(join(folder, ownFile), { force: true })
    if (names.length === 1) await rm(folder, { recursive: true })
  }
}

/** None where there is no such folder, or none that can be read. */
const namesIn = (directory: string): Promise<string[]> => readdir(directory).catch(() => [])
