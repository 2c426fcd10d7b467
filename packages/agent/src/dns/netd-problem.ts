import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Resolver } from './forwarder.ts'
import { netdDirectory } from './netd-state.ts'

/** After the last one that was seen. */
const forgetAfterMs = 10 * 60_000

const problemPath = (stateDir: string): string => join(netdDirectory(stateDir), 'problem.txt')

/** What netd found wrong with the node's resolvers, one sentence; undefined: nothing. Written by {@link LoopReport}, read by the agent. */
export async function readNetdProblem(stateDir: string): Promise<string | undefined> {
  const text = await readFile(problemPath(stateDir), 'utf8').catch(() => '')
  return text.trim() || undefined
}

/** Tells the agent, and through it people, of resolvers that ask us what we ask them. */
export class LoopReport implements AsyncDisposable {
  readonly #path: string
  readonly #log: Logger
  readonly #addresses = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(stateDir: string, log: Logger) {
    this.#path = problemPath(stateDir)
    this.#log = log
  }

  note({ address }: Pick<Resolver, 'address'>): void {
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.forget(), forgetAfterMs).unref()
    else this.#timer.refresh()
    if (this.#addresses.has(address)) return
    this.#addresses.add(address)
    this.#log.warn({ resolver: address }, 'refused our own question, which this resolver brought back')
    this.#write()
  }

  /** Others' resolvers, or long enough ago. */
  forget(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#addresses.clear()
    this.#write()
  }

  /** Resolves once the last word is on disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    await this.#writing
  }

  #write(): void {
    const list = [...this.#addresses].sort().join(', ')
    const write = async () => {
      if (list === '') return await rm(this.#path, { force: true })
      await writeFile(`${this.#path}.new`, `${sentence(list)}\n`)
      await rename(`${this.#path}.new`, this.#path)
    }
    this.#writing = this.#writing.then(write).catch((error: unknown) => {
      this.#log.error({ error: messageOf(error) }, 'cannot say what is wrong with the resolvers')
    })
  }
}

const sentence = (resolvers: string): string =>
  `names: the resolver ${resolvers} asks this node's own DNS what that asks it: give it other servers to ask, or the node another resolver`
