import type { Worker } from 'node:worker_threads'
import { messageOf } from '@berth/core'
import { type StoreError, storeError } from '../store-error.ts'
import type { AnswerMessage, RequestMessage, RequestName, Requests } from './protocol.ts'
import { deserializeError } from './sqlite-error.ts'

interface Pending {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Asks the store's thread. When the thread dies, everything pending and everything later fails with the same error. */
export class StoreThread {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  /** Called when the thread ends by itself. */
  onDeath: (error: StoreError) => void = () => undefined
  #lastId = 0
  #death: StoreError | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (message: AnswerMessage) => this.#settle(message))
    worker.on('error', (error) => this.#die(messageOf(error), error))
    worker.on('exit', (code) => this.#die(`it exited with code ${code}`))
  }

  call<N extends RequestName>(name: N, ask: Requests[N]['ask']): Promise<Requests[N]['answer']> {
    if (this.#death) return Promise.reject(this.#death)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject })
      this.#worker.postMessage({ id, name, ask } satisfies RequestMessage)
    })
  }

  async terminate(): Promise<void> {
    this.#death ??= storeError('store.closed', 'the store is closed')
    await this.#worker.terminate()
    this.#rejectAll(this.#death)
  }

  #settle(message: AnswerMessage): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if ('error' in message) pending?.reject(deserializeError(message.error))
    else pending?.resolve(message.answer)
  }

  #die(finding: string, cause?: unknown): void {
    if (this.#death) return
    this.#death = storeError(
      'store.failed',
      `the store's thread ended: ${finding}; whether the last writes are on the disk is unknown. Start the server again`,
      { cause },
    )
    this.#rejectAll(this.#death)
    this.onDeath(this.#death)
  }

  #rejectAll(error: StoreError): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}
