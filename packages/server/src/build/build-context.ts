import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract, type Header, type Pack, pack } from 'tar-stream'

/** A file that Berth itself puts into a context. */
export interface ContextFile {
  readonly path: string
  readonly mode: number
  readonly content: string
}

export interface ContextTree {
  /** A tar, read only when its turn comes. */
  readonly open: () => Readable
  /** Ends with a slash, or is empty. */
  readonly prefix: string
  readonly includes?: (path: string) => boolean
  /** Files and folders that are put below `prefix` a second time. */
  readonly again?: { readonly prefix: string; readonly paths: readonly string[] }
}

/**
 * A build context as a tar stream: our files first, then the trees. Entries are rewritten, so that nothing of a tree can land outside of
 * its prefix. Reading drives it; giving up the iteration closes what it reads from.
 */
export async function* buildContext(
  files: readonly ContextFile[],
  trees: readonly ContextTree[],
): AsyncGenerator<Uint8Array> {
  const context = pack()
  const stop = new AbortController()
  const writing = write(context, files, trees, stop.signal).catch((error: Error) => context.destroy(error))
  try {
    yield* context as unknown as AsyncIterable<Uint8Array>
  } finally {
    stop.abort()
    context.destroy()
    await writing
  }
}

async function write(context: Pack, files: readonly ContextFile[], trees: readonly ContextTree[], signal: AbortSignal) {
  for (const { path, mode, content } of files) context.entry({ name: path, mode, mtime: new Date(0) }, content)
  for (const tree of trees) await copyTree(context, tree, signal)
  context.finalize()
}

async function copyTree(context: Pack, tree: ContextTree, signal: AbortSignal): Promise<void> {
  const entries = extract()
  const reading = pipeline(tree.open(), entries, { signal })
  reading.catch(() => {})
  for await (const entry of entries) {
    const path = entry.header.name.replace(/^(\.\/)+/, '').replace(/\/+$/, '')
    const isWanted = isInside(path) && isKnownType(entry.header.type) && (tree.includes?.(path) ?? true)
    const isRepeated = tree.again?.paths.some((each) => path === each || path.startsWith(`${each}/`)) ?? false
    if (isRepeated && tree.again !== undefined) {
      const content = await readAll(entry)
      addEntry(context, headerOf(entry.header, tree.again.prefix + path), content)
      if (isWanted) addEntry(context, headerOf(entry.header, tree.prefix + path), content)
    } else if (isWanted && entry.header.type === 'file') {
      await pipeline(entry, context.entry(headerOf(entry.header, tree.prefix + path)), { signal })
    } else {
      entry.resume()
      if (isWanted) addEntry(context, headerOf(entry.header, tree.prefix + path), Buffer.alloc(0))
    }
  }
  await reading
}

const isInside = (path: string): boolean =>
  path !== '' && path !== '.' && !path.startsWith('/') && !path.split('/').includes('..')

const isKnownType = (type: Header['type']): boolean => type === 'file' || type === 'directory' || type === 'symlink'

/** Root's, with no more than what Docker looks at. */
function headerOf({ type, mode, mtime, linkname, size }: Header, name: string): NewHeader {
  if (type === 'directory') return { name: `${name}/`, type, mode, mtime }
  return type === 'symlink' ? { name, type, mode, mtime, linkname } : { name, type: 'file', mode, mtime, size }
}

type NewHeader = Partial<Header> & Pick<Header, 'name'>

function addEntry(context: Pack, header: NewHeader, content: Uint8Array): void {
  if (header.type === 'file') context.entry(header, content)
  else context.entry(header)
}

async function readAll(entry: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of entry) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
