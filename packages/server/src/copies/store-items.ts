import type { Operation, Store } from '../store/store.ts'
import { isCopied } from './copied-keys.ts'

export interface Item {
  readonly key: string
  readonly value: string
}

export type Items = AsyncIterable<Item>

const pageItems = 500

/** All records of one revision, sorted by key, a page at a time in memory. */
export async function* itemsOf(
  store: Store,
  options: { revision?: number; signal?: AbortSignal } = {},
): AsyncGenerator<Item> {
  let after: string | undefined
  let { revision } = options
  const { signal } = options
  do {
    const page = await store.list('/', {
      limit: pageItems,
      ...(after === undefined ? {} : { after }),
      ...(revision === undefined ? {} : { revision }),
      ...(signal === undefined ? {} : { signal }),
    })
    for (const kv of page.items) if (isCopied(kv)) yield { key: kv.key, value: kv.value }
    revision = page.revision
    after = page.next
  } while (after !== undefined)
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** What makes `present` equal to `wanted`; both are sorted by key. Nothing: they are equal. */
export async function* differences(wanted: Items, present: Items): AsyncGenerator<Operation> {
  const [left, right] = [wanted[Symbol.asyncIterator](), present[Symbol.asyncIterator]()]
  try {
    let [want, have] = await Promise.all([left.next(), right.next()])
    while (want.done !== true || have.done !== true) {
      const order = want.done === true ? 1 : have.done === true ? -1 : byBytes(want.value.key, have.value.key)
      if (order > 0) yield { type: 'delete', key: (have.value as Item).key }
      else if (order < 0 || want.value.value !== have.value.value) yield { type: 'put', ...(want.value as Item) }
      if (order <= 0) want = await left.next()
      if (order >= 0) have = await right.next()
    }
  } finally {
    await Promise.all([left.return?.(), right.return?.()])
  }
}
