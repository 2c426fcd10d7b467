import { addRequests, noRequests, type RequestCounts } from './request-counts.ts'

const spanMs = 10_000

/** What became of requests just now: over the last 10 to 20 seconds, in a space of its own size whatever comes. */
export class RequestMeter {
  readonly #sinceMs: number
  #startMs: number
  #addedMs: number
  #before: number[] | undefined
  #now = noRequests()

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
    this.#startMs = nowMs
    this.#addedMs = nowMs
  }

  add(nowMs: number, counts: RequestCounts): void {
    this.#turn(nowMs)
    this.#addedMs = nowMs
    addRequests(this.#now, counts)
  }

  /** Requests of the last `overMs`, a second of it at least. */
  read(nowMs: number): { readonly counts: RequestCounts; readonly overMs: number } {
    this.#turn(nowMs)
    const counts = [...this.#now]
    if (this.#before !== undefined) addRequests(counts, this.#before)
    const fromMs = this.#before === undefined ? this.#startMs : this.#startMs - spanMs
    return { counts, overMs: Math.max(1_000, nowMs - Math.max(fromMs, this.#sinceMs)) }
  }

  /** Nothing came for two spans. */
  isQuiet(nowMs: number): boolean {
    return nowMs - this.#addedMs >= 2 * spanMs
  }

  #turn(nowMs: number): void {
    const passed = nowMs - this.#startMs
    if (passed < spanMs) return
    this.#before = passed < 2 * spanMs ? this.#now : noRequests()
    this.#now = noRequests()
    this.#startMs += Math.floor(passed / spanMs) * spanMs
  }
}
