import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { Records } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'
import {
  type AuthorityRoot,
  parseAuthority,
  readAuthorityFile,
  textOfAuthority,
  writeAuthorityFile,
} from './authority-file.ts'

/** Where the authority's key and certificate are. */
export interface AuthorityRoots {
  /** For messages: a file, a key of the store. */
  readonly place: string
  /** Throws `authority.corrupt`, `secrets.cannot-open`. */
  read(): Promise<AuthorityRoot | undefined>
  /** Throws `record.conflict` when another server was faster. */
  write(root: AuthorityRoot): Promise<void>
}

/** A file: that of a server that is alone. */
export const rootsInFile = (directory: string): AuthorityRoots => {
  const place = join(directory, 'authority.pem')
  return {
    place,
    read: () => readAuthorityFile(place),
    write: (root) => writeAuthorityFile(place, root),
  }
}

const id = 'root'
const bound = ['authority', id]

/**
 * The store, sealed under the key that every server has and the store has not. An authority that was founded in a file goes there with the
 * first start: nodes go on trusting the same one.
 */
export function rootsInStore(records: Records, key: SecretKey, file: AuthorityRoots): AuthorityRoots {
  const { authorities } = records.state
  const sealing = key.derive('authority')
  const place = 'the store (/authority/root)'
  return {
    place,
    read: async () => {
      const record = authorities.get(id)
      if (record !== undefined) return opened(unseal(sealing, bound, record.sealed), place)
      return await file.read()
    },
    write: async (root) => {
      const sealed = seal(sealing, bound, textOfAuthority(root))
      // As of when it was decided: of two servers that found or rotate at once one wins.
      const ifUnchanged = authorities.modRevision(id)
      const tx = records.begin('system:certificates')
      tx.put('authorities', { name: id, sealed, updatedAt: Date.now() }, { ifUnchanged })
      if (await records.tryCommit(tx)) return
      throw new BerthError('record.conflict', 'write the authority: another server was faster', { retryable: true })
    },
  }
}

function opened(text: string, place: string): AuthorityRoot {
  try {
    return parseAuthority(text)
  } catch (cause) {
    throw new BerthError('authority.corrupt', `read ${place}: it is no authority; restore the store from a backup`, {
      cause,
    })
  }
}
