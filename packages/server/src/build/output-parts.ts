import { createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { LogLine } from '@berth/api'

/** A piece of an output on disk. Its name says at which byte of the whole output it starts; it holds whole lines. */
export interface OutputPart {
  readonly path: string
  readonly start: number
  readonly end: number
}

export const partPath = (prefix: string, start: number): string => `${prefix}.${String(start).padStart(15, '0')}.part`

/** In the order of the output. */
export async function findParts(prefix: string): Promise<OutputPart[]> {
  const names = (await readdir(dirname(prefix))).sort()
  const parts: OutputPart[] = []
  for (const name of names) {
    const start = name.startsWith(`${basename(prefix)}.`) ? /\.(\d+)\.part$/.exec(name)?.[1] : undefined
    if (start === undefined || partPath(basename(prefix), Number(start)) !== name) continue
    const path = `${dirname(prefix)}/${name}`
    parts.push({ path, start: Number(start), end: Number(start) + (await stat(path)).size })
  }
  return parts
}

export const gapLine = (bytes: number): LogLine => ({
  at: Date.now(),
  stream: 'system',
  line: `… ${Math.max(1, Math.round(bytes / 1024))} KiB of output left out here …`,
})

/** Writes the parts, a note where something is missing between them, and the last lines as one file, all of it or nothing. */
export async function assembleOutput(
  parts: readonly OutputPart[],
  file: string,
  last: readonly LogLine[],
): Promise<void> {
  const temporary = `${file}.tmp`
  try {
    await using target = await open(temporary, 'w', 0o600)
    let position = 0
    for (const part of parts) {
      if (part.start > position) await target.appendFile(encode(gapLine(part.start - position)))
      // A part that a killed server left may end within a line.
      for await (const chunk of wholeLines(part)) await target.appendFile(chunk)
      position = part.end
    }
    await target.appendFile(last.map(encode).join(''))
    await target.sync()
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
}

export const encode = (line: LogLine): string => `${JSON.stringify(line)}\n`

async function* wholeLines({ path }: OutputPart): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(0x0a) + 1
    if (end > 0) yield Buffer.concat([rest, chunk.subarray(0, end)])
    rest = end > 0 ? Buffer.from(chunk.subarray(end)) : Buffer.concat([rest, chunk])
  }
}
