import { writeSync } from 'node:fs'
import { messageOf } from '../packages/core/src/index.ts'

/**
 * Where a role's log lines go, one `write` each. A full disk costs lines, never the process: what could not be written is counted, and
 * said as soon as there is room again.
 */
export function logDestination(fd: number): { write(line: string): void } {
  let lost = 0
  let reason = ''
  return {
    write: (line) => {
      try {
        if (lost > 0) writeAll(fd, lostLine(lost, reason))
        lost = 0
        writeAll(fd, line)
      } catch (error) {
        lost += 1
        reason = messageOf(error)
      }
    },
  }
}

function writeAll(fd: number, line: string): void {
  const bytes = Buffer.from(line)
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}

/** Begins with a line end, for the line before may have been cut off. */
const lostLine = (count: number, reason: string): string =>
  `\n${JSON.stringify({ level: 40, time: new Date().toISOString(), pid: process.pid, msg: `${count} log lines are lost: ${reason}` })}\n`
