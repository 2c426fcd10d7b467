const toleratedMs = 60_000
/** Pings that have waited while this process stood still are read all at once. */
const lastingMs = 10_000

/** By the times at which the leading server says that it sends its pings: whether this machine's clock is as that one's. */
export class ClockWatch {
  #offSince: number | undefined
  /** What was told last stays until it is another by a minute: what is told is written down. */
  #told = 0

  /** `sentAt` and `now` by the two clocks, `monotonicMs` by neither. Returns the problem that there is, if any. */
  note(sentAt: number, now: number, monotonicMs: number): string | undefined {
    const off = now - sentAt
    if (Math.abs(off) < toleratedMs) {
      this.#offSince = undefined
      return undefined
    }
    this.#offSince ??= monotonicMs
    if (monotonicMs - this.#offSince < lastingMs) return undefined
    if (Math.abs(off - this.#told) >= toleratedMs) this.#told = off
    return sentence(this.#told)
  }
}

function sentence(off: number): string {
  const which = off > 0 ? 'ahead of' : 'behind'
  return `its clock is ${durationOf(Math.abs(off))} ${which} the server's: times that it tells are off by that; set one of them (chronyc, timedatectl)`
}

function durationOf(ms: number): string {
  for (const [unit, length] of [
    ['day', 86_400_000],
    ['hour', 3_600_000],
  ] as const)
    if (ms >= 2 * length) return `${Math.round(ms / length)} ${unit}s`
  const minutes = Math.round(ms / 60_000)
  return minutes === 1 ? '1 minute' : `${minutes} minutes`
}
