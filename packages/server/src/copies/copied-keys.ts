import { recordKinds } from '../records/record-kinds.ts'
import { fillingKey, lineageKey, ownKeys } from '../store/own-keys.ts'
import type { KeyValue, Store } from '../store/store.ts'
import { storeError } from '../store/store-error.ts'

/** What a copy is made of: records. What hangs on a lease (who leads, which servers run) says nothing elsewhere. */
export const isCopied = ({ key, lease }: KeyValue): boolean =>
  lease === undefined && !notCopied.some((prefix) => key.startsWith(prefix))

const notCopied = [ownKeys, recordKinds.members.prefix, recordKinds.leaders.prefix]

/** Who fills a store: the same one may go on after it was interrupted. */
export interface Filling {
  readonly by: 'migrate' | 'restore'
  /** Epoch of the store that the data are of. */
  readonly epoch: string
  readonly revision: number
}

export async function readFilling(store: Store): Promise<Filling | undefined> {
  const { kv } = await store.get(fillingKey)
  return kv === undefined ? undefined : (JSON.parse(kv.value) as Filling)
}

/** A server must not begin on half of the records. */
export async function refuseUnfinished(store: Store): Promise<void> {
  const filling = await readFilling(store)
  if (filling === undefined) return
  const again = filling.by === 'migrate' ? 'berth store migrate' : 'berth restore'
  throw storeError(
    'store.incomplete',
    `open the store: ${again} was interrupted before all records were in it; run it again with the same source`,
    { details: { ...filling } },
  )
}

/** Epochs of stores whose records were moved into this one: who belonged to them belongs to it. */
export async function readLineage(store: Store): Promise<readonly string[]> {
  const { kv } = await store.get(lineageKey)
  return kv === undefined ? [] : (JSON.parse(kv.value) as { readonly follows: string[] }).follows
}
