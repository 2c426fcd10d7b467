import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openState } from '../records/open-state.ts'
import { openStore } from '../store/open-store.ts'
import { decodeItems } from './decode-items.ts'
import { findViolations } from './find-violations.ts'
import { openKeyFiles } from './key-files.ts'
import { type BackupHead, checkBackup } from './read-backup.ts'
import { type RestoreOptions, restoreBackup } from './restore-backup.ts'

export interface VerifyReport {
  readonly head: BackupHead
  readonly records: number
  readonly bytes: number
  readonly counts: Readonly<Record<string, number>>
  /** Key files in it, when the passphrase was given; `sealed`: they are there, and were not looked at. */
  readonly keys: readonly string[] | 'sealed' | 'none'
  /** Empty: the backup is good. */
  readonly violations: readonly string[]
}

/** A restore drill: restores into a store in a temporary folder, opens it as a server does, and looks for contradictions. */
export async function verifyBackup(
  file: string,
  options: Omit<RestoreOptions, 'directory' | 'withoutKeys'>,
): Promise<VerifyReport> {
  const backup = await checkBackup(file)
  const directory = await mkdtemp(join(tmpdir(), 'berth-verify-'))
  try {
    const settings = { url: 'sqlite' }
    const { passphrase, ...offline } = options
    const keys = keysIn(backup.keys, passphrase)
    const { head, records, bytes } = await restoreBackup(file, settings, { ...offline, directory, withoutKeys: true })
    await openOnce(directory, { ...offline, directory })
    const decoded = await decodeItems(backup.items())
    return { head, records, bytes, counts: decoded.counts, keys, violations: findViolations(decoded.records) }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function openOnce(directory: string, { log, worker }: RestoreOptions): Promise<void> {
  await using store = await openStore({ settings: { url: 'sqlite' }, directory, log, worker })
  await using _state = await openState(store, { log })
}

function keysIn(sealed: string | undefined, passphrase: string | undefined): VerifyReport['keys'] {
  if (sealed === undefined) return 'none'
  return passphrase === undefined ? 'sealed' : Object.keys(openKeyFiles(sealed, passphrase))
}
