import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../state/atomic-file.ts'

/** Where secrets of instances are as well, which is sure to be in memory; an instance's id has dots. */
export const birdDirectory = (runDir: string): string => join(runDir, 'secrets', 'bird')

/** What BIRD needs while it runs, in memory: passwords of sessions are in it. Its log is on the disk. */
export class BirdFiles {
  readonly directory: string
  readonly configuration: string
  readonly next: string
  readonly control: string
  readonly pidFile: string
  readonly log: string
  readonly #logDirectory: string

  constructor(directory: string, logDirectory: string) {
    this.directory = directory
    this.configuration = join(directory, 'bird.conf')
    this.next = join(directory, 'next.conf')
    this.control = join(directory, 'control')
    this.pidFile = join(directory, 'pid')
    this.log = join(logDirectory, 'log')
    this.#logDirectory = logDirectory
  }

  async prepare(): Promise<void> {
    for (const directory of [this.directory, this.#logDirectory]) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await chmod(directory, 0o700)
    }
  }

  /** The one in force; undefined: there is none. */
  current(): Promise<string | undefined> {
    return readFile(this.configuration, 'utf8').catch(() => undefined)
  }

  async offer(text: string): Promise<void> {
    await writeFileAtomic(this.next, text)
  }

  /** What was offered is the one in force. */
  async take(): Promise<void> {
    await rename(this.next, this.configuration)
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}
