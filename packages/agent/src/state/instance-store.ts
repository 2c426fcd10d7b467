import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from './atomic-file.ts'
import { decodeRecord, encodeRecord, type InstanceRecord } from './instance-record.ts'
import type { Sealer } from './sealer.ts'

const suffix = '.json'

/** One file an instance: a damaged one costs one instance its memory, and a change writes no more than it must. */
export class InstanceStore implements AsyncDisposable {
  readonly #directory: string
  readonly #sealer: Sealer
  readonly #log: Logger
  readonly #writers = new Map<string, RecordWriter>()

  constructor(directory: string, sealer: Sealer, log: Logger) {
    this.#directory = directory
    this.#sealer = sealer
    this.#log = log
  }

  /** Every readable record. A corrupt file is set aside and reported; its instance is rebuilt from its container. */
  async load(): Promise<readonly InstanceRecord[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const names = await readdir(this.#directory)
    await Promise.all(names.filter((name) => name.endsWith('.new')).map((name) => rm(join(this.#directory, name))))
    const records = await Promise.all(names.filter((name) => name.endsWith(suffix)).map((name) => this.#read(name)))
    return records.filter((record) => record !== undefined)
  }

  /** Resolves when this record or a newer one of the same instance is durable. */
  save(record: Omit<InstanceRecord, 'secretsLost'>): Promise<void> {
    const { instance } = record.assignment
    let writer = this.#writers.get(instance)
    if (writer === undefined) {
      writer = new RecordWriter((text) => writeFileAtomic(this.#pathOf(instance), text))
      this.#writers.set(instance, writer)
    }
    return writer.write(encodeRecord(record, this.#sealer))
  }

  async remove(instance: string): Promise<void> {
    await this.#writers.get(instance)?.settled()
    this.#writers.delete(instance)
    await rm(this.#pathOf(instance), { force: true })
  }

  /** Waits for what is being written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.settled()))
  }

  #pathOf(instance: string): string {
    return join(this.#directory, `${encodeURIComponent(instance)}${suffix}`)
  }

  async #read(name: string): Promise<InstanceRecord | undefined> {
    const path = join(this.#directory, name)
    try {
      return decodeRecord(await readFile(path, 'utf8'), path, this.#sealer)
    } catch (error) {
      const aside = `${path}.corrupt`
      await rename(path, aside)
      this.#log.error({ file: aside, reason: messageOf(error) }, 'set a corrupt record aside')
      return undefined
    }
  }
}

/** One write at a time; of the texts that arrive meanwhile only the last is written. */
class RecordWriter {
  readonly #write: (text: string) => Promise<void>
  #latest = ''
  #tail: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(write: (text: string) => Promise<void>) {
    this.#write = write
  }

  write(text: string): Promise<void> {
    this.#latest = text
    if (this.#next !== undefined) return this.#next
    const next = this.#tail.then(() => {
      this.#next = undefined
      return this.#write(this.#latest)
    })
    this.#next = next
    this.#tail = next.catch(() => {})
    return next
  }

  settled(): Promise<void> {
    return this.#tail
  }
}
