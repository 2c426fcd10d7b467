import type { InstanceStatus } from '@berth/core'

type Listener = (status: InstanceStatus) => void

/** Tells everybody who asks about every change of an instance. */
export class StatusBus {
  readonly #listeners = new Set<Listener>()

  publish(status: InstanceStatus): void {
    for (const listener of this.#listeners) listener(status)
  }

  /** Returns how to stop. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves at the instance's next change, or at the abort. */
  changeOf(instance: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const stop = this.subscribe((status) => {
        if (status.id === instance) done()
      })
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted) done()
    })
  }
}
