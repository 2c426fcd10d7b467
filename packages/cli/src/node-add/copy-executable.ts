import { createReadStream } from 'node:fs'
import { pipeline, Readable, Transform } from 'node:stream'
import { createGzip } from 'node:zlib'
import { BerthError } from '@berth/core'
import type { Executable } from './executable.ts'
import type { PackedFile } from './packed-executable.ts'
import type { RemoteMachine } from './remote-machine.ts'

/** Prints how much of the file is there already. What earlier tries of other versions have left goes. */
const sizeScript = `
part=$1
for each in "$(dirname "$part")"/.berth-*.part; do
  if [ "$each" != "$part" ]; then rm -f "$each"; fi
done
if [ -f "$part" ]; then wc -c <"$part"; else echo 0; fi
`
const appendScript = 'umask 077; if [ "$2" = gzip ]; then exec gzip -dc >>"$1"; else exec cat >>"$1"; fi'
/** Exit code 3: the file is not what it should be, and is gone. */
const finishScript = `
set -e
if [ "$(sha256sum "$1" | cut -d ' ' -f 1)" != "$2" ]; then rm -f "$1"; exit 3; fi
chmod 755 "$1"
if [ -f "$3" ]; then ln -f "$3" "$3.old"; fi
mv -f "$1" "$3"
sync "$3" 2>/dev/null || true
`
const damaged = 3
const uploadTimeoutMs = 60 * 60_000
const highWaterMark = 256 * 1024

export interface CopyOptions {
  /** Where it goes: `/usr/local/bin/berth`. */
  readonly to: string
  /** Packed on the way; the other side needs gzip. */
  readonly packed: boolean
  /** The whole of it, packed before; a part is packed on the way. */
  readonly packedFile?: () => Promise<PackedFile | undefined>
  readonly onProgress: (bytes: number) => void
}

/**
 * Brings the executable to a machine, under a name that only the whole, right file gets. What a broken connection has left there is gone
 * on with. Throws `node.copy-failed`, `ssh.lost`.
 */
export async function copyExecutable(
  machine: RemoteMachine,
  executable: Executable,
  options: CopyOptions,
): Promise<void> {
  const { to } = options
  const part = `${to.slice(0, to.lastIndexOf('/'))}/.berth-${executable.sha256.slice(0, 16)}.part`
  // Once more from the start when what was there before was not the beginning of it.
  for (const isLast of [false, true]) {
    await upload(machine, executable, part, options)
    const { code, stderr } = await machine.run(['sh', '-c', finishScript, 'sh', part, executable.sha256, to])
    if (code === 0) return
    if (code !== damaged) throw failed(machine, to, stderr)
    if (isLast) throw failed(machine, to, 'what arrived has another SHA-256 than what was sent')
  }
}

async function upload(
  machine: RemoteMachine,
  executable: Executable,
  part: string,
  options: CopyOptions,
): Promise<void> {
  const { packed, to, onProgress } = options
  const known = await machine.run(['sh', '-c', sizeScript, 'sh', part])
  const there = Number(known.stdout.trim())
  if (known.code !== 0 || !Number.isSafeInteger(there)) throw failed(machine, to, known.stderr)
  const start = Math.min(there, executable.bytes)
  onProgress(start)
  if (start === executable.bytes) return
  const source = await sourceOf(executable, start, options)
  try {
    const argv = ['sh', '-c', appendScript, 'sh', part, packed ? 'gzip' : 'plain']
    const { code, stderr } = await machine.run(argv, {
      input: source.input,
      timeoutMs: uploadTimeoutMs,
    })
    if (code !== 0) throw failed(machine, to, stderr)
  } finally {
    source.file.destroy()
  }
}

interface Source {
  readonly file: Readable
  readonly input: AsyncIterable<Uint8Array>
}

/** What is sent of it, and packed if it is to be; progress is told in bytes of the executable. */
async function sourceOf(
  { path, bytes }: Executable,
  start: number,
  { packed, packedFile, onProgress }: CopyOptions,
): Promise<Source> {
  const ready = packed && start === 0 ? await packedFile?.() : undefined
  const rate = ready === undefined ? 1 : bytes / ready.bytes
  let sent = start
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      sent += chunk.length * rate
      onProgress(sent)
      done(null, chunk)
    },
  })
  const file = ready === undefined ? createReadStream(path, { start, highWaterMark }) : Readable.from(ready.read())
  const ignore = () => undefined
  const input =
    packed && ready === undefined
      ? pipeline(file, counted, createGzip({ level: 1 }), ignore)
      : pipeline(file, counted, ignore)
  return { file, input: input as unknown as AsyncIterable<Uint8Array> }
}

function failed(machine: RemoteMachine, to: string, said: string): BerthError {
  const why = said.trim().split('\n').slice(-2).join(' · ') || 'no reason was given'
  return new BerthError(
    'node.copy-failed',
    `copy the executable to ${machine.session.target.host}:${to}: ${why}; mend that (room, rights) and repeat the command, which goes on from what is there`,
  )
}
