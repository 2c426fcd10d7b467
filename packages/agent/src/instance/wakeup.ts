/** Lets one loop sleep until a time, or until it is woken. A wake-up that comes while it is awake is not lost. */
export class Wakeup {
  #pending = false
  #resume: (() => void) | undefined

  wake(): void {
    this.#pending = true
    this.#resume?.()
  }

  /** `until` in milliseconds since the epoch; absent: until woken. */
  async sleep(until: number | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer =
          until === undefined ? undefined : setTimeout(resolve, Math.min(Math.max(0, until - Date.now()), maxDelayMs))
        this.#resume = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#resume = undefined
    this.#pending = false
  }
}

/** A longer delay makes a timer fire at once; waking early only means to decide again. */
const maxDelayMs = 2 ** 31 - 1
