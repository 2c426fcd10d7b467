import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { StoreSettings } from '../store/store-location.ts'
import { decodeItems } from './decode-items.ts'
import { type Filled, fillStore } from './fill-store.ts'
import { checkKeyFiles, type KeyFiles, openKeyFiles, writeKeyFiles } from './key-files.ts'
import { type OfflineOptions, openTarget } from './offline-store.ts'
import { type BackupHead, checkBackup } from './read-backup.ts'

export interface RestoreOptions extends OfflineOptions {
  readonly passphrase?: string | undefined
  /** Also where the keys that nodes and secrets need are neither here nor in the backup. */
  readonly withoutKeys?: boolean | undefined
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
  const { counts } = await decodeItems(backup.items())
  const keys = keyFilesOf(file, backup.keys, options.passphrase)
  await checkKeyFiles(options.directory, keys)
  if (options.withoutKeys !== true)
    requireKeys({ ...options, file, counts, keys, areSealed: backup.keys !== undefined })
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

interface KeysAtHand {
  readonly directory: string
  readonly file: string
  readonly counts: Readonly<Record<string, number>>
  readonly keys: KeyFiles
  /** The backup has keys, opened or not. */
  readonly areSealed: boolean
}

/** A server without them would make new ones, which no node trusts: every one would stay offline until it joins anew. */
function requireKeys({ directory, file, counts, keys, areSealed }: KeysAtHand): void {
  if ((counts.nodes ?? 0) === 0) return
  const isHere = (name: string) => name in keys || existsSync(join(directory, name))
  const missing = [
    ...(isHere('secret.key') ? [] : ['secret.key']),
    ...(isHere('authority/authority.pem') || (counts.authorities ?? 0) > 0 ? [] : ['authority/']),
  ]
  if (missing.length === 0) return
  const way = areSealed ? 'give --passphrase-file, since the backup has them' : 'bring them from where you keep them'
  throw new BerthError(
    'backup.keys-missing',
    `restore ${file}: ${missing.join(' and ')} of the server that it is of ${missing.length === 1 ? 'is' : 'are'} not in ${directory}, and without them no node trusts the server and no secret can be opened; ${way}. If they are lost: --without-keys, and every node joins anew`,
    { details: { missing } },
  )
}
