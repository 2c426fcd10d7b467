import { createHash } from 'node:crypto'
import { BerthError } from '@berth/core'

/**
 * A file of two lines of JSON: a header with format and checksum, and the body. A torn or edited file is found out instead of being
 * believed.
 */
export function encodeChecked(format: number, body: unknown): string {
  const line = JSON.stringify(body)
  return `${JSON.stringify({ format, sha256: sha256(line) })}\n${line}\n`
}

/** Throws `state.corrupt`. */
export function decodeChecked<T>(format: number, text: string, what: string): T {
  const [head = '', line = ''] = text.split('\n', 2)
  const header = parse(head) as { format?: unknown; sha256?: unknown } | undefined
  if (header?.format !== format) {
    throw new BerthError('state.corrupt', `read ${what}: its format is ${String(header?.format)}, expected ${format}`)
  }
  if (header.sha256 !== sha256(line)) throw new BerthError('state.corrupt', `read ${what}: its checksum does not match`)
  return parse(line) as T
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
