import { addRequests, noRequests, type RequestCounts } from './request-counts.ts'

const fineMs = 5_000
const coarseMs = 60_000
/** For so long a window is known to 5 seconds, from then on to a minute. */
const fineForMs = 10 * 60_000
export const seriesKeepsMs = 6 * 3_600_000

interface Slot {
  readonly startMs: number
  readonly lengthMs: number
  readonly counts: number[]
}

/** What became of requests over the last six hours, at most 500 slots; nothing is kept for a time without requests. Times never go back. */
export class RequestSeries {
  /** From the oldest; coarse ones first. */
  #slots: Slot[] = []

  add(nowMs: number, counts: RequestCounts): void {
    const startMs = Math.floor(nowMs / fineMs) * fineMs
    const last = this.#slots.at(-1)
    if (last !== undefined && startMs < last.startMs + last.lengthMs) {
      addRequests(last.counts, counts)
      return
    }
    this.#slots.push({ startMs, lengthMs: fineMs, counts: [...counts] })
    this.#settle(nowMs)
  }

  /** Slots that lie in the window or reach into it. */
  sum(fromMs: number, toMs: number): number[] {
    const sum = noRequests()
    for (const { startMs, lengthMs, counts } of this.#slots)
      if (startMs + lengthMs > fromMs && startMs < toMs) addRequests(sum, counts)
    return sum
  }

  /**
   * The window in steps of the same length, each with its share of the slots that reach into it: counts need not be whole. A last step that the
   * window does not fill is left out.
   */
  steps(fromMs: number, toMs: number, stepMs: number): number[][] {
    const steps = Array.from({ length: Math.max(0, Math.floor((toMs - fromMs) / stepMs)) }, noRequests)
    for (const { startMs, lengthMs, counts } of this.#slots) {
      const endMs = startMs + lengthMs
      const first = Math.max(0, Math.floor((startMs - fromMs) / stepMs))
      for (let place = first; place < steps.length; place++) {
        const stepFrom = fromMs + place * stepMs
        const sharedMs = Math.min(endMs, stepFrom + stepMs) - Math.max(startMs, stepFrom)
        if (sharedMs <= 0) break
        const step = steps[place]
        if (step === undefined) break
        addRequests(
          step,
          counts.map((count) => (count * sharedMs) / lengthMs),
        )
      }
    }
    return steps
  }

  isEmptySince(fromMs: number): boolean {
    const last = this.#slots.at(-1)
    return last === undefined || last.startMs + last.lengthMs <= fromMs
  }

  get slots(): number {
    return this.#slots.length
  }

  #settle(nowMs: number): void {
    const first = this.#slots.findIndex(({ startMs }) => startMs >= nowMs - seriesKeepsMs)
    const fineFrom = Math.floor((nowMs - fineForMs) / coarseMs) * coarseMs
    const kept: Slot[] = []
    for (const slot of this.#slots.slice(first)) {
      const last = kept.at(-1)
      const startMs = Math.floor(slot.startMs / coarseMs) * coarseMs
      if (slot.lengthMs === coarseMs || startMs >= fineFrom) kept.push(slot)
      else if (last?.startMs === startMs && last.lengthMs === coarseMs) addRequests(last.counts, slot.counts)
      else kept.push({ startMs, lengthMs: coarseMs, counts: slot.counts })
    }
    this.#slots = kept
  }
}
