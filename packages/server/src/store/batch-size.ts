import type { Change, WatchBatch } from './store.ts'

export const keyOf = (change: Change): string => (change.type === 'put' ? change.kv.key : change.key)

/** What a change costs besides its texts, about. */
const overheadBytes = 200

/** What a watch's buffer counts. */
export const bytesOfBatch = ({ changes }: WatchBatch): number =>
  changes.reduce((sum, change) => sum + overheadBytes + keyOf(change).length + valueBytes(change), 0)

const valueBytes = (change: Change): number =>
  (change.type === 'put' ? change.kv.value.length : 0) + (change.previous?.value.length ?? 0)
