import type { CallOptions, KeyValue, ListResult, Store } from './store.ts'
import { isStoreError } from './store-error.ts'

/** Keys of a page of a list of everything. */
export const pageItems = 1_000
const listAttempts = 3

export type ReadPage = (after: string | undefined, revision: number | undefined) => Promise<ListResult>

/** All pages of one revision, so that commits go on in between. Should compaction overtake them, all over again. */
export async function listPages(read: ReadPage, after?: string, revision?: number): Promise<ListResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await pagesOf(read, after, revision)
    } catch (error) {
      if (revision !== undefined || attempt === listAttempts || !isStoreError(error, 'store.compacted')) throw error
    }
  }
}

async function pagesOf(read: ReadPage, after: string | undefined, revision: number | undefined): Promise<ListResult> {
  const items: KeyValue[] = []
  for (let start = after, at = revision; ; ) {
    const page = await read(start, at)
    for (const item of page.items) items.push(item)
    if (page.next === undefined) return { items, revision: page.revision }
    start = page.next
    at = page.revision
  }
}

/**
 * All pages of one revision, one after the other, for who need not have them all at once. Throws
 * `store.compacted` should compaction overtake it.
 */
export async function eachPage(
  store: Store,
  prefix: string,
  take: (page: ListResult) => void,
  { signal }: CallOptions = {},
): Promise<void> {
  const call = { limit: pageItems, ...(signal === undefined ? {} : { signal }) }
  let page = await store.list(prefix, call)
  const { revision } = page
  for (;;) {
    take(page)
    if (page.next === undefined) return
    page = await store.list(prefix, { ...call, after: page.next, revision })
  }
}
