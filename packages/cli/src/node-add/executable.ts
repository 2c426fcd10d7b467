import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { BerthError, messageOf } from '@berth/core'

/** The one file that makes a machine a node. */
export interface Executable {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  /** `x64`, `arm64`, or the number that ELF has for it. */
  readonly architecture: string
}

/** e_machine of elf(5). */
const machines: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' }
/** Berth's own is far larger; a script or a wrapper is not what machines need. */
const headBytes = 20

/** Throws `node.no-executable`. */
export async function readExecutable(path: string): Promise<Executable> {
  const wrong = (why: string): BerthError =>
    new BerthError(
      'node.no-executable',
      `take ${path} as the executable for other machines: ${why}; run this command from the built executable, or name it by --executable FILE`,
    )
  try {
    const { size } = await stat(path)
    await using file = await open(path, 'r')
    const head = Buffer.alloc(headBytes)
    await file.read(head, 0, headBytes, 0)
    if (head.subarray(0, 4).toString('latin1') !== '\x7fELF') throw wrong('it is no Linux executable')
    const machine = head.readUInt16LE(18)
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
    return {
      path,
      bytes: size,
      sha256: hash.digest('hex'),
      architecture: machines[machine] ?? `ELF machine ${machine}`,
    }
  } catch (error) {
    if (error instanceof BerthError) throw error
    throw wrong(messageOf(error))
  }
}
