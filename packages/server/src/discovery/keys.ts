import { BerthError, upstreamsOf, upstreamsPrefix } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { KeyValueRecord, Records } from '../records/index.ts'
import type { KeySpace } from './key-space.ts'

export interface KeyWrite {
  readonly key: string
  readonly bytes: Buffer
  readonly flags?: number
  /** Write only if it was last written at this index; 0: only if it is not there. */
  readonly cas?: number
}

export const keyLimits = { keyBytes: 512, valueBytes: 524_288, keys: 100_000, totalBytes: 67_108_864 } as const

/** Deletions in one transaction. */
const slice = 90

export interface KeysOptions {
  readonly records: Records
  readonly space: KeySpace
  /** Berth's own service of this name: what is below its upstream is derived. */
  readonly isOwnService: (service: string) => boolean
  readonly now?: () => number
}

/**
 * Keys as programs write them. Who wrote one last is in its record; there is no event for it, since programs write keys all the time and
 * would push out what people did.
 */
export class Keys {
  readonly #options: KeysOptions

  constructor(options: KeysOptions) {
    this.#options = options
  }

  /** False: another was faster than `cas` allows. Throws `kv.*`. */
  async put({ key, bytes, flags = 0, cas }: KeyWrite, context: CallContext): Promise<boolean> {
    const { records, now = Date.now } = this.#options
    this.#checkWritable(key)
    this.#checkRoom(key, bytes)
    const { state } = records
    const value = bytes.toString('base64')
    const decide = records.commit('system:keys', (tx) => {
      const before = state.keyValues.get(key)
      const modRevision = state.keyValues.modRevision(key)
      if (cas !== undefined && cas !== modRevision) return false
      const record: KeyValueRecord = {
        ...{ key, value },
        ...(flags === 0 ? {} : { flags }),
        ...(before === undefined ? {} : { createIndex: before.createIndex ?? modRevision }),
        ...{ updatedAt: now(), updatedBy: context.actor },
      }
      tx.put('keyValues', record, { ifUnchanged: true })
      return true
    })
    return (await decide).value
  }

  /** False: another was faster than `cas` allows. A key that is not there is deleted already. */
  async delete(key: string, cas: number | undefined, context: CallContext): Promise<boolean> {
    this.#checkWritable(key)
    const { records } = this.#options
    const decide = records.commit(
      'system:keys',
      (tx) => {
        const modRevision = records.state.keyValues.modRevision(key)
        if (cas !== undefined && cas !== modRevision) return false
        if (modRevision !== 0) tx.delete('keyValues', key, { ifUnchanged: true })
        return true
      },
      context,
    )
    return (await decide).value
  }

  /** All below a prefix, in several commits where they are many. What is derived stays. */
  async deleteBelow(prefix: string, context: CallContext): Promise<void> {
    const { records, space } = this.#options
    const keys = space.keysBelow(prefix).filter((key) => records.state.keyValues.has(key))
    for (let from = 0; from < keys.length; from += slice) {
      const some = keys.slice(from, from + slice)
      await records.commit(
        'system:keys',
        (tx) => {
          for (const key of some) if (records.state.keyValues.has(key)) tx.delete('keyValues', key)
        },
        context,
      )
    }
  }

  #checkWritable(key: string): void {
    if (key === '') throw new BerthError('kv.invalid-key', 'write a key: /v1/kv/ needs the key behind it')
    if (Buffer.byteLength(key) > keyLimits.keyBytes)
      throw new BerthError('kv.invalid-key', `a key is at most ${keyLimits.keyBytes} bytes long, this one is longer`)
    if (!key.isWellFormed()) throw new BerthError('kv.invalid-key', 'a key must be UTF-8 text')
    const service = key.startsWith(upstreamsPrefix) ? key.slice(upstreamsPrefix.length).split('/')[0] : undefined
    const isOwn = service !== undefined && this.#options.isOwnService(service)
    if (service === undefined || !(isOwn || this.#options.space.isDerived(key))) return
    throw new BerthError(
      'kv.derived',
      `write ${key}: what is below ${upstreamsOf(service)} are the instances of a service; they follow it by themselves`,
    )
  }

  #checkRoom(key: string, bytes: Buffer): void {
    const { records, space } = this.#options
    if (bytes.length > keyLimits.valueBytes)
      throw new BerthError(
        'kv.too-large',
        `write ${key}: its value has ${bytes.length} bytes, and at most ${keyLimits.valueBytes} are possible`,
      )
    const { keyValues } = records.state
    if (keyValues.has(key)) return
    const isFull = keyValues.size >= keyLimits.keys || space.valueBytes + bytes.length > keyLimits.totalBytes
    if (isFull)
      throw new BerthError(
        'kv.too-many',
        `write ${key}: there are ${keyValues.size} keys with ${space.valueBytes} bytes; at most ${keyLimits.keys} and ${keyLimits.totalBytes} are possible: delete some first`,
      )
  }
}
