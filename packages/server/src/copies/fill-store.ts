import { BerthError } from '@berth/core'
import { fillingKey, lineageKey } from '../store/own-keys.ts'
import { maxBytes, maxOperations, type Operation, type Store } from '../store/store.ts'
import { type Filling, readFilling } from './copied-keys.ts'
import { differences, type Items, itemsOf } from './store-items.ts'

export interface FillOptions {
  readonly filling: Filling
  /** Gives the same records, sorted by key, every time it is called. */
  readonly source: () => Items
  /** Epochs that the store is to follow on. */
  readonly follows?: readonly string[]
  readonly signal?: AbortSignal
}

export interface Filled {
  readonly records: number
  readonly bytes: number
}

/**
 * Makes an empty store equal to a source, and compares every key and value when it is done. Until then a mark keeps servers out; one that was
 * interrupted goes on where it is when the same source is given again. Throws `store.not-empty`, `store.incomplete`, `copy.differs`.
 */
export async function fillStore(store: Store, options: FillOptions): Promise<Filled> {
  const { filling, source, follows, signal } = options
  await begin(store, filling)
  const present = (): Items => itemsOf(store, signal === undefined ? {} : { signal })
  await apply(store, differences(source(), present()), signal)
  for await (const { key } of differences(source(), present()) as AsyncIterable<{ key: string }>)
    throw new BerthError('copy.differs', `compare the copy: ${key} is not what it is in the source; run it again`, {
      details: { key },
    })
  const filled = await count(source())
  await store.commit({
    operations: [
      { type: 'delete', key: fillingKey },
      ...(follows === undefined ? [] : [{ type: 'put' as const, key: lineageKey, value: JSON.stringify({ follows }) }]),
    ],
  })
  return filled
}

async function begin(store: Store, filling: Filling): Promise<void> {
  const found = await readFilling(store)
  if (found !== undefined) {
    if (found.by === filling.by && found.epoch === filling.epoch) return
    throw new BerthError(
      'store.incomplete',
      `fill the store: it is half filled from store ${found.epoch} (${found.by}), this is ${filling.epoch}; go on with the same source, or remove what is there`,
      { details: { ...found } },
    )
  }
  for await (const { key } of itemsOf(store))
    throw new BerthError(
      'store.not-empty',
      `fill the store: it has records already (${key}); give it an empty store, or move this one away`,
      { details: { key } },
    )
  const { ok } = await store.commit({
    compare: [{ key: fillingKey, version: 0 }],
    operations: [
      { type: 'put', key: fillingKey, value: JSON.stringify(filling) },
      { type: 'delete', key: lineageKey },
    ],
  })
  if (!ok) throw new BerthError('store.not-empty', 'fill the store: somebody else has just begun to fill it')
}

/** Leaves room for what adapters add. */
const batchOperations = maxOperations - 1

async function apply(store: Store, operations: AsyncIterable<Operation>, signal?: AbortSignal): Promise<void> {
  let batch: Operation[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await store.commit({ operations: batch }, signal === undefined ? {} : { signal })
    batch = []
    bytes = 0
  }
  for await (const operation of operations) {
    const size = sizeOf(operation)
    if (batch.length === batchOperations || bytes + size > maxBytes) await flush()
    batch.push(operation)
    bytes += size
  }
  await flush()
}

const sizeOf = (operation: Operation): number =>
  operation.type === 'put' ? Buffer.byteLength(operation.key) + Buffer.byteLength(operation.value) : maxKeyBytes

/** More than the key of any record. */
const maxKeyBytes = 2_048

async function count(items: Items): Promise<Filled> {
  let records = 0
  let bytes = 0
  for await (const { key, value } of items) {
    records += 1
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  return { records, bytes }
}
