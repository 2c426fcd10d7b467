import { createHash } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { BackupLine } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatBytes } from '../output/format.ts'
import { action } from './command.ts'

interface BackupOptions {
  readonly includeKeys?: string
}

export function registerBackup(program: Command): Command {
  return program
    .command('backup')
    .summary('copy all records of the cluster into a file')
    .description(
      'All records of one revision, while the server goes on. Sealed secrets stay sealed: keep secret.key and authority/ of the server apart, or include them with --include-keys.',
    )
    .argument('<file>', 'where to write it (compressed, mode 600); must not exist')
    .option('--include-keys <passphrase-file>', 'add secret.key and authority/, sealed by the passphrase in this file')
    .action(action<BackupOptions>((context, [file = ''], options) => backup(context, file, options)))
}

async function backup({ client, out, signal }: CommandContext, file: string, { includeKeys }: BackupOptions) {
  const passphrase = includeKeys === undefined ? undefined : await readPassphrase(includeKeys)
  await refuseExisting(file)
  const lines = client.lines('createBackup', { body: passphrase === undefined ? {} : { passphrase } }, { signal })
  const counted = { records: 0, revision: 0 }
  const temporary = `${file}.${process.pid}.part`
  try {
    await writeWhole(temporary, checked(lines, counted), signal)
    await refuseExisting(file)
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
  const { size } = await stat(file)
  out.line(`${file}: ${counted.records} records at revision ${counted.revision}, ${formatBytes(size)}`)
  if (passphrase === undefined)
    out.note(
      "secret.key and authority/ of the server's state directory are not in it: keep them too, in another place; without secret.key no secret can be opened again",
    )
  out.note(`try it out: berth backup verify ${file}`)
}

/** On the disk when it returns. */
async function writeWhole(path: string, lines: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  const handle = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new BerthError('file.cannot-write', `write the backup: ${messageOf(error)}`)
  })
  try {
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) await handle.write(chunk)
    }
    await pipeline(Readable.from(lines), createGzip(), write, { signal })
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Passes lines on as they go into the file, and fails unless the last one says that all of them came. */
async function* checked(
  lines: AsyncIterable<BackupLine>,
  counted: { records: number; revision: number },
): AsyncGenerator<string> {
  const hash = createHash('sha256')
  for await (const line of lines) {
    const text = `${JSON.stringify(line)}\n`
    if (line.type === 'end') {
      if (line.records !== counted.records || line.sha256 !== hash.digest('hex')) break
      yield text
      return
    }
    if (line.type === undefined) throw broken((line as { readonly line?: string }).line ?? 'it broke off')
    hash.update(text)
    if (line.type === 'backup') counted.revision = line.revision
    if (line.type === 'record') counted.records += 1
    yield text
  }
  throw broken('it ended too early')
}

const broken = (why: string): BerthError =>
  new BerthError('backup.incomplete', `back up the cluster: ${why}; nothing was written, try again`, {
    retryable: true,
  })

async function refuseExisting(file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) !== undefined)
    throw new BerthError('usage.file-exists', `${file} exists: name another file, a backup is never written over`)
}

export async function readPassphrase(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new BerthError('usage.passphrase', `read the passphrase: ${messageOf(error)}`)
  })
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0)
    throw new BerthError('usage.passphrase', `read the passphrase: others may read ${path} as well; chmod 600 ${path}`)
  const passphrase = text.replace(/\r?\n$/, '')
  if (passphrase === '') throw new BerthError('usage.passphrase', `${path} is empty: it is to hold the passphrase`)
  return passphrase
}
