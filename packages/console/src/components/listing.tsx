import { messageOf } from '@berth/core/model/berth-error'
import type { ReactNode } from 'react'
import type { Snapshot } from '../store/collection.ts'
import { Banner } from './layout.tsx'
import { Skeleton } from './table.tsx'

interface ListingProps<T> {
  readonly of: Snapshot<T>
  readonly rows?: number
  readonly empty: ReactNode
  readonly children: (items: readonly T[]) => ReactNode
}

/** What to show of a listing in each of its states. Once something is known it stays visible, also while reconnecting. */
export function Listing<T>({ of, rows = 4, empty, children }: ListingProps<T>) {
  if (of.state === 'failed') return <Banner tone="bad" title={messageOf(of.error)} />
  if (of.items.length > 0) return children(of.items)
  return of.state === 'live' ? empty : <Skeleton rows={rows} />
}
