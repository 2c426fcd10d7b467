import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const tailBytes = 65_536
const warnLevel = 40
const maxLength = 600

/** What a process of Berth has said last in its log that was no good news; undefined: nothing, or there is no log (under systemd). */
export function lastFailure(logFile: string): string | undefined {
  for (const line of tailOf(logFile).split('\n').toReversed()) {
    const said = failureIn(line)
    if (said !== undefined) return said.slice(0, maxLength)
  }
  return undefined
}

function failureIn(line: string): string | undefined {
  if (line.startsWith('error: ')) return line.slice('error: '.length)
  try {
    const { level, msg, reason, err } = JSON.parse(line) as Readonly<Record<string, unknown>>
    if (typeof level !== 'number' || level < warnLevel || typeof msg !== 'string') return undefined
    const why = reason ?? (err as { readonly message?: unknown } | undefined)?.message
    return typeof why === 'string' ? `${msg}: ${why}` : msg
  } catch {
    return undefined
  }
}

function tailOf(file: string): string {
  try {
    const handle = openSync(file, 'r')
    try {
      const { size } = fstatSync(handle)
      const buffer = Buffer.alloc(Math.min(size, tailBytes))
      readSync(handle, buffer, 0, buffer.length, size - buffer.length)
      return buffer.toString()
    } finally {
      closeSync(handle)
    }
  } catch {
    return ''
  }
}
