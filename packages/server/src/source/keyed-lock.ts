import { abortable } from '../store/abortable.ts'

/** Runs actions of one key one after the other, of different keys beside each other. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>()

  /** An abort while waiting gives the place up; the action itself has to watch the signal on its own. */
  async run<T>(key: string, action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const { promise: done, resolve: release } = Promise.withResolvers<void>()
    const tail = before.then(() => done)
    this.#tails.set(key, tail)
    try {
      await abortable(before, signal)
      return await action()
    } finally {
      release()
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }
}
