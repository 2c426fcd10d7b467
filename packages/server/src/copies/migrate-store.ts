import { BerthError } from '@berth/core'
import { parseStoreLocation, type StoreSettings } from '../store/store-location.ts'
import { readLineage, refuseUnfinished } from './copied-keys.ts'
import { type Filled, fillStore } from './fill-store.ts'
import { type OfflineOptions, openSource, openTarget } from './offline-store.ts'
import { itemsOf } from './store-items.ts'

export interface Migrated extends Filled {
  readonly fromEpoch: string
  readonly epoch: string
}

/**
 * Moves all records to another store, with no server on either. The new store follows on the old one (see `lineageKey`): nodes that
 * belonged to the old one obey it at once, and from then on they take the old one for a foreign store.
 */
export async function migrateStore(from: StoreSettings, to: StoreSettings, options: OfflineOptions): Promise<Migrated> {
  if (JSON.stringify(parseStoreLocation(from)) === JSON.stringify(parseStoreLocation(to)))
    throw new BerthError('store.same', `migrate the store: source and target are both ${from.url}`)
  await using source = await openSource(from, options)
  await refuseUnfinished(source)
  const { revision } = await source.get('/any')
  const follows = [source.epoch, ...(await readLineage(source))]
  const target = await openTarget(to, options)
  let isFilled = false
  try {
    const shared = options.signal === undefined ? {} : { signal: options.signal }
    const filled = await fillStore(target.store, {
      ...shared,
      filling: { by: 'migrate', epoch: source.epoch, revision },
      source: () => itemsOf(source, { revision, ...shared }),
      follows,
    })
    isFilled = true
    return { ...filled, fromEpoch: source.epoch, epoch: target.store.epoch }
  } finally {
    await target.close(isFilled)
  }
}
