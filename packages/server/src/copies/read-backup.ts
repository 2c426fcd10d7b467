import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { BackupLine } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import { storeError } from '../store/store-error.ts'
import type { Item } from './store-items.ts'
import { backupForm } from './write-backup.ts'

export type BackupHead = Extract<BackupLine, { readonly type: 'backup' }>

export interface CheckedBackup {
  readonly head: BackupHead
  readonly records: number
  readonly bytes: number
  readonly keys: string | undefined
  /** The records, sorted by key; reads the file again. */
  items(): AsyncIterable<Item>
}

/** Reads a backup from beginning to end. Throws `backup.damaged`, `backup.incomplete`, `store.newer`. */
export async function checkBackup(file: string): Promise<CheckedBackup> {
  const hash = createHash('sha256')
  let head: BackupHead | undefined
  let keys: string | undefined
  let end: Extract<BackupLine, { readonly type: 'end' }> | undefined
  let [records, bytes] = [0, 0]
  let last = ''
  for await (const { text, line } of linesOf(file)) {
    if (end !== undefined) throw damaged(file, 'something follows on its end')
    if (head === undefined && line.type !== 'backup') throw damaged(file, 'it does not begin as a backup does')
    if (line.type === 'end') {
      end = line
      continue
    }
    hash.update(`${text}\n`)
    if (line.type === 'backup') head = checkHead(file, line)
    else if (line.type === 'keys') keys = line.sealed
    else {
      if (last !== '' && Buffer.compare(Buffer.from(last), Buffer.from(line.key)) >= 0)
        throw damaged(file, `${line.key} is not in its place`)
      last = line.key
      records += 1
      bytes += Buffer.byteLength(line.key) + Buffer.byteLength(line.value)
    }
  }
  if (head === undefined || end === undefined)
    throw new BerthError(
      'backup.incomplete',
      `read ${file}: it ends too early, so it is no whole backup; take another one`,
    )
  if (end.records !== records || end.sha256 !== hash.digest('hex')) throw damaged(file, 'its checksum is wrong')
  return { head, records, bytes, keys, items: () => itemsIn(file) }
}

async function* itemsIn(file: string): AsyncGenerator<Item> {
  for await (const { line } of linesOf(file)) if (line.type === 'record') yield { key: line.key, value: line.value }
}

function checkHead(file: string, head: BackupHead): BackupHead {
  if (head.form > backupForm)
    throw storeError(
      'store.newer',
      `read ${file}: it was made by Berth ${head.version} and has form ${head.form}, this one knows ${backupForm}; use that version`,
    )
  return head
}

async function* linesOf(file: string): AsyncGenerator<{ readonly text: string; readonly line: BackupLine }> {
  const output = new PassThrough()
  const reading = pipeline(createReadStream(file), createGunzip(), output)
  // The reader of lines says nothing of what went wrong before it; this does.
  const failure = reading.then(
    () => undefined,
    (error: unknown) => error,
  )
  try {
    for await (const text of createInterface({ input: output, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield { text, line: parseLine(file, text) }
    }
  } catch (error) {
    if (error instanceof BerthError) throw error
    throw unreadable(file, error)
  } finally {
    output.destroy()
  }
  const error = await failure
  if (error !== undefined) throw unreadable(file, error)
}

function unreadable(file: string, error: unknown): BerthError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'Z_BUF_ERROR')
    return new BerthError(
      'backup.incomplete',
      `read ${file}: it ends too early, so it is no whole backup; take another one`,
    )
  if (code === 'ENOENT')
    return new BerthError('backup.unreadable', `read ${file}: there is no such file`, { cause: error })
  if (code?.startsWith('Z_')) return damaged(file, messageOf(error))
  return new BerthError('backup.unreadable', `read ${file}: ${messageOf(error)}`, { cause: error })
}

function parseLine(file: string, text: string): BackupLine {
  try {
    const line = JSON.parse(text) as BackupLine
    if (['backup', 'keys', 'record', 'end'].includes(line.type)) return line
  } catch {
    // said below
  }
  throw damaged(file, 'a line of it is none of a backup')
}

const damaged = (file: string, why: string): BerthError =>
  new BerthError('backup.damaged', `read ${file}: ${why}; it is damaged or no backup of Berth: use another copy`)
