import type { KeyValue } from '../store.ts'
import type { EtcdKeyValue } from './etcd-messages.ts'

/** A range of keys; without an end, one key. */
export interface KeyRange {
  readonly key: Buffer
  readonly range_end: Buffer
}

/**
 * Where a store's keys are in an etcd that may serve others too. Below the prefix `/berth`:
 * `/berth/data` + key (records), `/berth/store` (identity), `/berth/slots/…` (see `committer.ts`), `/berth/mark` (see `progress-marks.ts`).
 */
export class EtcdKeys {
  /** All that is the store's: what a watch follows, so that it sees every revision that this store made. */
  readonly everything: KeyRange
  readonly identity: Buffer
  readonly mark: Buffer
  readonly slots: KeyRange
  readonly #data: Buffer

  constructor(prefix: string) {
    this.everything = rangeBelow(Buffer.from(`${prefix}/`))
    this.identity = Buffer.from(`${prefix}/store`)
    this.mark = Buffer.from(`${prefix}/mark`)
    this.slots = rangeBelow(Buffer.from(`${prefix}/slots/`))
    this.#data = Buffer.from(`${prefix}/data`)
  }

  slot(name: string): Buffer {
    return Buffer.concat([this.slots.key, Buffer.from(name)])
  }

  data(key: string): Buffer {
    return Buffer.concat([this.#data, Buffer.from(key)])
  }

  dataBelow(prefix: string): KeyRange {
    return rangeBelow(this.data(prefix))
  }

  isData(key: Buffer): boolean {
    return key.length > this.#data.length && this.#data.equals(key.subarray(0, this.#data.length))
  }

  keyOf(key: Buffer): string {
    return key.toString('utf8', this.#data.length)
  }

  toKeyValue(kv: EtcdKeyValue): KeyValue {
    return {
      key: this.keyOf(kv.key),
      value: kv.value.toString(),
      createRevision: kv.create_revision,
      modRevision: kv.mod_revision,
      version: kv.version,
      ...(kv.lease === '0' ? {} : { lease: kv.lease }),
    }
  }
}

/** Every key that begins with `prefix`. A key of Berth's is UTF-8 text, which has no byte 0xff. */
const rangeBelow = (prefix: Buffer): KeyRange => ({ key: prefix, range_end: successor(prefix) })

function successor(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  end[end.length - 1] = (end[end.length - 1] as number) + 1
  return end
}

/** The first key after `key`. */
export const justAfter = (key: Buffer): Buffer => Buffer.concat([key, Buffer.alloc(1)])
