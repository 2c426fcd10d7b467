import type { FromAgent } from '@berth/api'
import { BerthError, type InstanceStatus, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceNews } from '../events/instance-news.ts'
import type { EventDraft, Records } from '../records/index.ts'
import { type CopyImage, ImageCopies, type ImageOffers } from './image-copies.ts'
import type { NodeFeed } from './node-feed.ts'
import { Presence } from './presence.ts'
import { StatusWriter } from './status-writer.ts'

/** The time in which this server leads agents; a term of `cluster`. */
export interface LeadTerm {
  readonly number: number
  /** True from the moment at which nothing may be said any more. */
  readonly isOver: boolean
}

export interface AgentLeadOptions {
  /** Commits with them fail once the term is over. */
  readonly records: Records
  readonly news: InstanceNews
  readonly feed: NodeFeed
  readonly term: LeadTerm
  /** The cluster's registry, which images come from rather than from other nodes. */
  readonly registry?: ImageOffers
}

export interface LeadSurroundings {
  readonly log: Logger
  readonly silenceMs: number | undefined
  readonly onPresence: (node: string, online: boolean) => void
  /** The agent still has an ended instance that the server has forgotten. */
  readonly onForgotten: (status: InstanceStatus) => void
  readonly isConnected: (node: string) => boolean
  readonly copyImage: CopyImage
}

/** What only the leader does with what agents say: who is there and how instances are goes to the store, images are brought. */
export class AgentLead implements AsyncDisposable {
  readonly feed: NodeFeed
  readonly term: LeadTerm
  readonly presence: Presence
  readonly images: ImageCopies
  readonly #statuses: StatusWriter
  readonly #closing = new AbortController()
  readonly #records: Records
  readonly #log: Logger

  constructor({ records, news, feed, term, registry }: AgentLeadOptions, around: LeadSurroundings) {
    const { log, silenceMs, onPresence, onForgotten, isConnected, copyImage } = around
    const { signal } = this.#closing
    this.#records = records
    this.#log = log
    this.feed = feed
    this.term = term
    this.presence = new Presence({
      ...{ records, log, signal, onChange: onPresence },
      ...(silenceMs === undefined ? {} : { silenceMs }),
    })
    this.#statuses = new StatusWriter({ records, news, log, signal, onForgotten })
    this.images = new ImageCopies({
      ...{ state: records.state, log, isConnected, signal, copy: copyImage },
      ...(registry === undefined ? {} : { registry }),
    })
  }

  take(node: string, line: FromAgent): void {
    this.presence.heard(node)
    if (line.type === 'hello' || line.type === 'node') this.presence.describe(node, line.node)
    if (line.type === 'hello' || line.type === 'status') this.#statuses.report(node, line.instances)
    if (line.type === 'image-missing') void this.images.bringAsked(line.image, node)
  }

  /** For people, among the events. */
  tell(event: EventDraft): void {
    const { signal } = this.#closing
    this.#records
      .commit('system', (tx) => tx.event(event), { signal })
      .catch((error: unknown) => this.#log.warn({ err: error }, `write event ${event.type}: ${messageOf(error)}`))
  }

  /** Everything reported so far is in the store. */
  settled(): Promise<void> {
    return this.#statuses.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new BerthError('server.stopping', 'the server is stopping', { retryable: true }))
    this.images[Symbol.dispose]()
    await this.presence.close()
    await this.#statuses.settled()
  }
}
