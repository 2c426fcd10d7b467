/** What is to happen when, in steps of a few milliseconds: one timer for any number of things, which cost one array entry each. */
export class DueQueue<T> implements Disposable {
  readonly #stepMs: number
  readonly #slots = new Map<number, T[]>()
  readonly #timer: NodeJS.Timeout
  #done: number

  /** `onDue` gets each thing at its time, `onStep` is called after those of a step. */
  constructor(stepMs: number, onDue: (thing: T) => void, onStep: () => void) {
    this.#stepMs = stepMs
    this.#done = this.#slotOf(performance.now())
    this.#timer = setInterval(() => {
      this.#run(onDue)
      onStep()
    }, stepMs)
  }

  add(thing: T, delayMs: number): void {
    const slot = Math.max(this.#done + 1, this.#slotOf(performance.now() + delayMs))
    const things = this.#slots.get(slot)
    if (things === undefined) this.#slots.set(slot, [thing])
    else things.push(thing)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#slots.clear()
  }

  #run(onDue: (thing: T) => void): void {
    const until = this.#slotOf(performance.now())
    for (; this.#done < until; this.#done += 1) {
      const things = this.#slots.get(this.#done)
      if (things === undefined) continue
      this.#slots.delete(this.#done)
      for (const thing of things) onDue(thing)
    }
  }

  #slotOf = (timeMs: number): number => Math.floor(timeMs / this.#stepMs)
}
