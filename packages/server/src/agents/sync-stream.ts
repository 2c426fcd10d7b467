import { type ClientHttp2Stream, constants } from 'node:http2'
import { type FromAgent, peersHeader, type SyncMode, type ToAgent } from '@berth/api'
import { isPeerDescription, messageOf, type RouteTable } from '@berth/core'
import type { Logger } from 'pino'
import type { LeadTerm } from './agent-lead.ts'
import { type AgentLink, answerOf, failureOf } from './agent-link.ts'
import { eachBoundedLine } from './bounded-lines.ts'
import { parseFromAgent } from './from-agent.ts'
import { lineText } from './line-text.ts'
import type { NodeFeed } from './node-feed.ts'
import { Outbox } from './outbox.ts'
import { routeChangesLine } from './route-changes-line.ts'

const maxLineBytes = 8_388_608

export interface SyncOptions {
  /** Absent: this server only listens. */
  readonly lead?: { readonly feed: NodeFeed; readonly term: LeadTerm }
  readonly onLine: (line: FromAgent) => void
  readonly log: Logger
}

/** An agent that can listen says what its node is at once. */
const describesWithinMs = 10_000

/**
 * The long stream of one link. In the mode `lead` the node's snapshot and every change after it goes out, and what the agent reports
 * comes in; in the mode `listen` nothing goes out but pings, and only what concerns the node as a whole comes in.
 */
export class SyncStream {
  readonly #link: AgentLink
  readonly #options: SyncOptions
  readonly #stream: ClientHttp2Stream
  readonly #outbox: Outbox
  #blocked = false
  #isDescribed = false
  #acceptsPeers = false
  #acceptsRouteChanges = false
  /** As they were written to the stream last. */
  #routes: RouteTable | undefined

  constructor(link: AgentLink, options: SyncOptions) {
    this.#link = link
    this.#options = options
    this.#outbox = new Outbox(() => this.#flush())
    const mode: SyncMode = options.lead === undefined ? 'listen' : 'lead'
    const path = `/v1/sync?mode=${mode}`
    this.#stream = link.open({ method: 'POST', path, endStream: false, signal: link.closed })
    this.#stream.on('drain', () => {
      this.#blocked = false
      this.#flush()
    })
  }

  send(line: ToAgent): void {
    this.#outbox.push(line)
  }

  /** Ends the stream, not the link. */
  close(): void {
    this.#stream.close(constants.NGHTTP2_NO_ERROR)
  }

  /** Runs until the link or the stream ends, and rejects with why. */
  async run(): Promise<never> {
    const { lead } = this.#options
    let stop = lead === undefined ? this.#expectDescription() : undefined
    try {
      const head = await answerOf(this.#link, this.#stream)
      if (lead !== undefined) stop = this.#feed(lead.feed, head[peersHeader])
      await eachBoundedLine(this.#stream, maxLineBytes, (line) => this.#read(line))
      throw new Error('the agent ended its sync stream')
    } catch (error) {
      throw failureOf(this.#link, error)
    } finally {
      stop?.()
    }
  }

  /** In one turn, so that no change falls between. */
  #feed(feed: NodeFeed, described: unknown): () => void {
    const { node } = this.#link
    const held = isPeerDescription(described) ? described : undefined
    if (held !== undefined) this.#acceptsPeers = true
    const unsubscribe = feed.subscribe(node, (line) =>
      this.send(line.type === 'peers' && !this.#acceptsPeers ? feed.network(node) : line),
    )
    const snapshot = feed.snapshot(node, held)
    this.send({ ...snapshot, term: this.#options.lead?.term.number })
    for (const part of snapshot.peerParts ?? []) this.send(feed.peerPart(part))
    return unsubscribe
  }

  /** One of the form before this keeps one link only: it should find the leader with it. */
  #expectDescription(): () => void {
    const timer = setTimeout(() => {
      if (!this.#isDescribed)
        this.#link.close('this server does not lead, and the agent knows no other way to be heard')
    }, describesWithinMs)
    timer.unref()
    return () => clearTimeout(timer)
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
    if (line === undefined) return
    if (line.type === 'node') this.#isDescribed = true
    if (line.type === 'hello') {
      this.#acceptsPeers ||= line.accepts?.includes('peers') === true
      this.#acceptsRouteChanges = line.accepts?.includes('route-changes') === true
    }
    this.#options.onLine(line)
  }

  #flush(): void {
    // A leader that has been succeeded, and does not know it yet, says nothing more.
    if (this.#options.lead?.term.isOver === true) return
    while (!this.#blocked && this.#stream.writable) {
      const line = this.#outbox.shift()
      if (line === undefined) return
      this.#blocked = !this.#stream.write(lineText(this.#asAccepted(line)))
    }
  }

  /** Tables are told by what has changed since the one that was written last, whatever has been passed over between. */
  #asAccepted(line: ToAgent): ToAgent {
    if (line.type !== 'routes' && line.type !== 'snapshot') return line
    const before = this.#routes
    this.#routes = line.routes
    const isTold = line.type === 'routes' && before !== undefined && this.#acceptsRouteChanges
    return isTold ? routeChangesLine(before, line) : line
  }
}
