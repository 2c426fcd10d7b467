import { BerthError } from '@berth/core'
import type { StoreSettings } from '../store/store-location.ts'
import { decodeItems } from './decode-items.ts'
import { type Filled, fillStore } from './fill-store.ts'
import { checkKeyFiles, openKeyFiles, writeKeyFiles } from './key-files.ts'
import { type OfflineOptions, openTarget } from './offline-store.ts'
import { type BackupHead, checkBackup } from './read-backup.ts'

export interface RestoreOptions extends OfflineOptions {
  readonly passphrase?: string | undefined
}

export interface Restored extends Filled {
  readonly head: BackupHead
  readonly epoch: string
  /** The key files that were written. */
  readonly keys: readonly string[]
}

/**
 * Fills an empty store from a backup, with no server on it. Everything is read and decoded before anything is written. The store's epoch
 * is one that no node knows: nodes withhold every stop until a person says that this is the store to obey.
 */
export async function restoreBackup(file: string, to: StoreSettings, options: RestoreOptions): Promise<Restored> {
  const backup = await checkBackup(file)
  await decodeItems(backup.items())
  const keys = keyFilesOf(file, backup.keys, options.passphrase)
  await checkKeyFiles(options.directory, keys)
  const target = await openTarget(to, options)
  const { head } = backup
  let isFilled = false
  try {
    const filled = await fillStore(target.store, {
      filling: { by: 'restore', epoch: head.epoch, revision: head.revision },
      source: () => backup.items(),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    await writeKeyFiles(options.directory, keys)
    isFilled = true
    return { ...filled, head, epoch: target.store.epoch, keys: Object.keys(keys) }
  } finally {
    await target.close(isFilled)
  }
}

function keyFilesOf(file: string, sealed: string | undefined, passphrase: string | undefined) {
  if (passphrase === undefined) return {}
  if (sealed !== undefined) return openKeyFiles(sealed, passphrase)
  throw new BerthError(
    'backup.no-keys',
    `restore keys: ${file} holds none; leave out --passphrase-file and bring secret.key and authority/ from where you keep them`,
  )
}
