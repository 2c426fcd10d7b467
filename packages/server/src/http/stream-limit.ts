import { BerthError } from '@berth/core'

/** A console holds some ten, a script one or two. */
const maxPerActor = 500

/** Long answers (watches, logs, terminals) hold memory here and streams to agents, so one caller may have only so many at a time. */
export class StreamLimit {
  readonly #open = new Map<string, number>()
  readonly #perActor: number

  constructor(perActor = maxPerActor) {
    this.#perActor = perActor
  }

  /** Throws `request.too-many-streams`. The signal says when the stream has ended. */
  enter(actor: string, ended: AbortSignal): void {
    const open = this.#open.get(actor) ?? 0
    if (open >= this.#perActor) {
      throw new BerthError(
        'request.too-many-streams',
        `${actor} has ${open} watches, logs and terminals open; close some before opening another`,
        { retryable: true, details: { open } },
      )
    }
    if (ended.aborted) return
    this.#open.set(actor, open + 1)
    ended.addEventListener('abort', () => this.#leave(actor), { once: true })
  }

  #leave(actor: string): void {
    const open = (this.#open.get(actor) ?? 1) - 1
    if (open === 0) this.#open.delete(actor)
    else this.#open.set(actor, open)
  }
}
