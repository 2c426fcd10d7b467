import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Header, type Pack, pack } from 'tar-stream'

/** One entry of an image layer; paths without a leading slash. Owners are numbers, times are not kept: equal entries make equal layers. */
export type LayerEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number; readonly owner?: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'text'; readonly path: string; readonly content: string; readonly mode?: number }
  /** The content of a file of this machine. */
  | { readonly kind: 'copy'; readonly path: string; readonly source: string; readonly mode?: number }

export interface LayerDigest {
  /** `sha256:...` of the uncompressed tar, which is what an image's configuration names a layer by. */
  readonly diffId: string
  readonly sizeBytes: number
}

type EntryHeader = Partial<Header> & { readonly name: string }

const EPOCH = new Date(0)

/** The layer as a tar stream, sorted by path: parents come before what is in them. */
export function layerTar(entries: readonly LayerEntry[], signal?: AbortSignal): Readable {
  const tar = pack()
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  void writeEntries(tar, sorted, signal).catch((error: Error) => tar.destroy(error))
  return nodeReadable(tar)
}

export async function digestLayer(entries: readonly LayerEntry[], signal?: AbortSignal): Promise<LayerDigest> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of layerTar(entries, signal)) {
    hash.update(chunk)
    sizeBytes += chunk.length
  }
  return { diffId: `sha256:${hash.digest('hex')}`, sizeBytes }
}

const writeEntries = async (tar: Pack, entries: readonly LayerEntry[], signal?: AbortSignal): Promise<void> => {
  for (const entry of entries) await writeEntry(tar, entry, signal)
  tar.finalize()
}

const writeEntry = async (tar: Pack, entry: LayerEntry, signal?: AbortSignal): Promise<void> => {
  switch (entry.kind) {
    case 'directory': {
      const owner = entry.owner ?? 0
      return addWhole(tar, {
        name: `${entry.path}/`,
        type: 'directory',
        mode: entry.mode ?? 0o755,
        uid: owner,
        gid: owner,
      })
    }
    case 'symlink':
      return addWhole(tar, { name: entry.path, type: 'symlink', linkname: entry.target, mode: 0o777 })
    case 'text':
      return addWhole(tar, { name: entry.path, mode: entry.mode ?? 0o644 }, entry.content)
    case 'copy': {
      const { size } = await stat(entry.source)
      await addStream(
        tar,
        { name: entry.path, mode: entry.mode ?? 0o755, size },
        createReadStream(entry.source),
        signal,
      )
      return
    }
    default:
      entry satisfies never
  }
}

const withoutHistory = (header: EntryHeader): EntryHeader => ({ uid: 0, gid: 0, mtime: EPOCH, ...header })

const addWhole = (tar: Pack, header: EntryHeader, content?: string | Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    tar.entry(withoutHistory(header), content ?? '', (error) => (error ? reject(error) : resolve()))
  })

/** Appends a file whose content is a stream of exactly `header.size` bytes. */
export const addStream = (
  tar: Pack,
  header: EntryHeader & { readonly size: number },
  content: Readable,
  signal?: AbortSignal,
): Promise<void> => pipeline(content, nodeWritable(tar.entry(withoutHistory(header))), { ...(signal && { signal }) })

export const addText = (tar: Pack, name: string, content: string): Promise<void> =>
  addWhole(tar, { name, mode: 0o644 }, content)

/** tar-stream's streams are streamx's: Node's `pipeline` takes them, only their declared types differ. */
export const nodeReadable = (tar: Pack): Readable => tar as unknown as Readable
const nodeWritable = (sink: ReturnType<Pack['entry']>): Writable => sink as unknown as Writable
