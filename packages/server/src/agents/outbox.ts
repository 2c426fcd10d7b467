import type { ToAgent } from '@berth/api'
import { joinMemberChanges, joinPeerChanges } from '@berth/core'

/**
 * Lines that wait for a link to take them. Of several about one thing only the last waits, so an agent that is slow, or far away, costs
 * at most one line an instance, however much changes meanwhile.
 */
export class Outbox {
  readonly #lines = new Map<string, ToAgent>()
  readonly #onLine: () => void

  /** `onLine` is called whenever something waits. */
  constructor(onLine: () => void) {
    this.#onLine = onLine
  }

  push(line: ToAgent): void {
    const key = keyOf(line)
    const joined = joinedWith(this.#lines.get(key), line)
    this.#lines.delete(key)
    this.#lines.set(key, joined)
    this.#onLine()
  }

  /** The line that waits longest, taken out. */
  shift(): ToAgent | undefined {
    for (const [key, line] of this.#lines) {
      this.#lines.delete(key)
      return line
    }
    return undefined
  }

  get size(): number {
    return this.#lines.size
  }
}

/** Changes that wait are part of what is said later: the last line alone would not be all. */
function joinedWith(waiting: ToAgent | undefined, line: ToAgent): ToAgent {
  if (waiting?.type === 'peers' && line.type === 'peers') return { ...line, ...joinPeerChanges(waiting, line) }
  if (waiting?.type === 'members' && line.type === 'members')
    return { ...line, members: joinMemberChanges(waiting.members, line.members) }
  return line
}

function keyOf(line: ToAgent): string {
  if (line.type === 'assign') return `instance ${line.assignment.instance}`
  if (line.type === 'forget') return `instance ${line.instance}`
  if (line.type === 'peer-part') return `peers ${line.part}`
  return line.type
}
