import { createHash } from 'node:crypto'
import type { BackupLine } from '@berth/api'
import type { Store } from '../store/store.ts'
import { readKeyFiles, sealKeyFiles } from './key-files.ts'
import { itemsOf } from './store-items.ts'

export const backupForm = 1

export interface BackupSource {
  readonly store: Store
  readonly version: string
  /** The server's folder, for the keys. */
  readonly directory: string
  readonly now: number
}

export interface BackupOptions {
  /** Includes `secret.key` and the authority, sealed by it. */
  readonly passphrase?: string | undefined
  readonly signal: AbortSignal
}

/**
 * All records of one revision, line by line, and at last their number and the checksum of all lines before: a backup without its last line
 * is none. Sealed values stay sealed.
 */
export async function* writeBackup(source: BackupSource, options: BackupOptions): AsyncGenerator<BackupLine> {
  const { store, version, directory, now } = source
  const { passphrase, signal } = options
  const hash = createHash('sha256')
  const line = (one: BackupLine): BackupLine => {
    hash.update(`${JSON.stringify(one)}\n`)
    return one
  }
  const { revision } = await store.get('/any', { signal })
  yield line({ type: 'backup', form: backupForm, version, epoch: store.epoch, revision, at: now })
  if (passphrase !== undefined)
    yield line({ type: 'keys', sealed: sealKeyFiles(await readKeyFiles(directory), passphrase) })
  let records = 0
  for await (const { key, value } of itemsOf(store, { revision, signal })) {
    records += 1
    yield line({ type: 'record', key, value })
  }
  yield { type: 'end', records, sha256: hash.digest('hex') }
}
