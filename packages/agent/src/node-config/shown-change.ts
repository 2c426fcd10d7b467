import { createHash } from 'node:crypto'
import { type ItemChange, type ItemValue, kindOf } from '@berth/core'

interface FileLike {
  readonly content: string
  readonly mode: string
  readonly owner: string
}

/** For people: a file's content only where anybody on the machine may read it. */
export const shownChange = (change: ItemChange): ItemChange =>
  mapFiles(change, (file) => (isPublic(file) ? { ...file } : digested(file)))

/** For the store, which needs no contents. */
export const briefChange = (change: ItemChange): ItemChange => mapFiles(change, digested)

const isPublic = ({ mode }: FileLike): boolean => (Number.parseInt(mode, 8) & 0o004) !== 0

function mapFiles(change: ItemChange, show: (file: FileLike) => ItemValue): ItemChange {
  if (kindOf(change.key) !== 'file') return change
  const shown = (value: ItemValue): ItemValue => (value === null ? null : show(value as unknown as FileLike))
  return { ...change, before: shown(change.before), after: shown(change.after) }
}

const digested = ({ content, mode, owner }: FileLike): ItemValue => ({
  ...{ mode, owner },
  sha256: createHash('sha256').update(content).digest('hex').slice(0, 16),
})
