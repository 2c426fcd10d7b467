import type { ClientHttp2Stream } from 'node:http2'
import type { FromAgent, ToAgent } from '@berth/api'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { type AgentLink, answerOf, failureOf } from './agent-link.ts'
import { readBoundedLines } from './bounded-lines.ts'
import { parseFromAgent } from './from-agent.ts'
import type { NodeFeed } from './node-feed.ts'
import { Outbox } from './outbox.ts'

const maxLineBytes = 8_388_608

export interface SyncOptions {
  readonly feed: NodeFeed
  readonly onLine: (line: FromAgent) => void
  readonly log: Logger
}

/** The long stream of one link: the node's snapshot and every change after it goes out, what the agent says comes in. */
export class SyncStream {
  readonly #link: AgentLink
  readonly #options: SyncOptions
  readonly #stream: ClientHttp2Stream
  readonly #outbox: Outbox
  #blocked = false

  constructor(link: AgentLink, options: SyncOptions) {
    this.#link = link
    this.#options = options
    this.#outbox = new Outbox(() => this.#flush())
    this.#stream = link.open({ method: 'POST', path: '/v1/sync', endStream: false, signal: link.closed })
    this.#stream.on('drain', () => {
      this.#blocked = false
      this.#flush()
    })
  }

  send(line: ToAgent): void {
    this.#outbox.push(line)
  }

  /** Runs until the link ends, and rejects with why. */
  async run(): Promise<never> {
    const { feed } = this.#options
    const { node } = this.#link
    const unsubscribe = feed.subscribe(node, (line) => this.send(line))
    try {
      this.send(feed.snapshot(node))
      await answerOf(this.#link, this.#stream)
      for await (const line of readBoundedLines(this.#stream, maxLineBytes)) this.#read(line)
      throw new Error('the agent ended its sync stream')
    } catch (error) {
      throw failureOf(this.#link, error)
    } finally {
      unsubscribe()
    }
  }

  #read(text: string): void {
    if (text === '') return
    let line: FromAgent | undefined
    try {
      line = parseFromAgent(text)
    } catch (error) {
      this.#options.log.error({ err: error }, messageOf(error))
      return
    }
    if (line !== undefined) this.#options.onLine(line)
  }

  #flush(): void {
    while (!this.#blocked && this.#stream.writable) {
      const line = this.#outbox.shift()
      if (line === undefined) return
      this.#blocked = !this.#stream.write(`${JSON.stringify(line)}\n`)
    }
  }
}
