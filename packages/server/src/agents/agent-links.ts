import type { TLSSocket } from 'node:tls'
import type {
  BuildEvent,
  BuildRequest,
  CertificateDelivery,
  CertificateRequest,
  CoreReport,
  FromAgent,
  LogLine,
  MetricsView,
  ReachTarget,
  ToAgent,
} from '@berth/api'
import { BerthError, type InstanceStatus, messageOf, type NodeImage } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, State } from '../records/index.ts'
import { AgentLink } from './agent-link.ts'
import * as requests from './agent-requests.ts'
import { ImageCopies } from './image-copies.ts'
import { listImages, removeImage } from './image-requests.ts'
import type { AgentListener, NodeFeed } from './node-feed.ts'
import { Presence } from './presence.ts'
import { StatusWriter } from './status-writer.ts'
import { SyncStream } from './sync-stream.ts'

export interface AgentLinksOptions {
  readonly records: Records
  readonly feed: NodeFeed
  readonly listener: AgentListener
  readonly log: Logger
  readonly pingMs?: number
  readonly silenceMs?: number
}

interface Connected {
  readonly link: AgentLink
  readonly sync: SyncStream
}

interface SignalOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * The agents that are connected: one link a node (a new one replaces the old), its sync stream, its reports, and whatever else is asked
 * of its agent. Calls reject with `node.offline` when it is not there, or with the agent's own error.
 */
export class AgentLinks implements AsyncDisposable {
  readonly #options: AgentLinksOptions
  readonly #state: State
  readonly #links = new Map<string, Connected>()
  readonly #closing = new AbortController()
  readonly #statuses: StatusWriter
  readonly #presence: Presence
  readonly #images: ImageCopies
  readonly #pings: NodeJS.Timeout
  readonly #unsubscribe: () => void

  constructor(options: AgentLinksOptions) {
    const { records, log, listener } = options
    const { signal } = this.#closing
    this.#options = options
    this.#state = records.state
    this.#presence = new Presence({
      records,
      log,
      signal,
      onChange: (node, online) => {
        // A connection that is open but silent is of no use: what waits for it fails now, and the agent dials again.
        if (!online) this.#links.get(node)?.link.close('not heard of for too long')
        listener.onLink(node, online)
      },
      ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
    })
    this.#statuses = new StatusWriter({ records, log, signal, onForgotten: (status) => this.#forget(status) })
    this.#images = new ImageCopies({
      state: this.#state,
      log,
      isConnected: (node) => this.#links.has(node),
      copy: async (image, from, to) => void (await this.copyImage(image, from, to, { signal })),
    })
    this.#pings = setInterval(() => this.#broadcast({ type: 'ping', at: Date.now() }), options.pingMs ?? 3_000)
    this.#pings.unref()
    this.#unsubscribe = this.#state.changes.subscribe((change) => {
      if (change.kind === 'nodes' && change.after === undefined) this.#removed(change.id)
    })
  }

  /** Takes over an authenticated connection. */
  connect(node: string, socket: TLSSocket): void {
    const link = new AgentLink(node, socket)
    const log = this.#options.log.child({ node })
    const previous = this.#links.get(node)
    const sync = new SyncStream(link, {
      feed: this.#options.feed,
      log,
      onLine: (line) => this.#onLine(node, link, line),
    })
    this.#links.set(node, { link, sync })
    previous?.link.close('replaced by a new connection of the same node')
    log.info({ remote: socket.remoteAddress }, `node ${node} connected`)
    sync.run().catch((error: unknown) => this.#lost(node, link, error, log))
  }

  /** Marked online: heard of within the last 10 seconds. Its link may be down for a moment; then calls reject. */
  isOnline(node: string): boolean {
    return this.#presence.isOnline(node)
  }

  isConnected(node: string): boolean {
    return this.#links.has(node)
  }

  logs(node: string, instance: string, options: requests.LogOptions = {}): AsyncGenerator<LogLine> {
    return requests.readLogs(this.#link(node), instance, options)
  }

  exec(node: string, instance: string, options: requests.ExecOptions): Promise<requests.ExecStream> {
    return requests.openExec(this.#link(node), instance, options)
  }

  metrics(
    node: string,
    options: SignalOptions & { readonly sinceMs?: number | undefined } = {},
  ): Promise<MetricsView[]> {
    return requests.readMetrics(this.#link(node), options)
  }

  cores(node: string, options: SignalOptions = {}): Promise<CoreReport> {
    return requests.readCores(this.#link(node), options)
  }

  /** Leaving the loop early, or aborting, cancels the build. */
  build(
    node: string,
    request: BuildRequest,
    context: AsyncIterable<Uint8Array>,
    options: SignalOptions = {},
  ): AsyncGenerator<BuildEvent> {
    return requests.runBuild(this.#link(node), request, context, options)
  }

  cancelBuild(node: string, id: string, options: SignalOptions = {}): Promise<void> {
    return requests.cancelBuild(this.#link(node), id, options)
  }

  /** The id of an image on that node, which pulls it if need be. */
  resolveImage(node: string, image: string, options: requests.ResolveOptions = {}): Promise<string> {
    return requests.resolveImage(this.#link(node), image, options)
  }

  /** Those of them that answer that node. */
  reach(node: string, targets: readonly ReachTarget[], options: SignalOptions = {}): Promise<readonly ReachTarget[]> {
    return requests.reachFrom(this.#link(node), targets, options)
  }

  copyImage(image: string, from: string, to: string, options: SignalOptions = {}): Promise<string> {
    return requests.copyImage(this.#link(from), this.#link(to), image, options)
  }

  listImages(node: string, options: SignalOptions): Promise<readonly NodeImage[]> {
    return listImages(this.#link(node), options)
  }

  removeImage(node: string, reference: string, options: SignalOptions): Promise<void> {
    return removeImage(this.#link(node), reference, options)
  }

  measureSpeed(node: string, options: SignalOptions): Promise<number> {
    return requests.measureSpeed(this.#link(node), options)
  }

  requestCertificate(node: string, options: SignalOptions): Promise<CertificateRequest> {
    return requests.requestCertificate(this.#link(node), options)
  }

  deliverCertificate(node: string, delivery: CertificateDelivery, options: SignalOptions): Promise<void> {
    return requests.deliverCertificate(this.#link(node), delivery, options)
  }

  /** Copies from whichever connected node has it; false when none could. */
  bringImage(image: string, to: string): Promise<boolean> {
    return this.#images.bring(image, to)
  }

  /** Everything reported so far is in the store. */
  settled(): Promise<void> {
    return this.#statuses.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#pings)
    this.#unsubscribe()
    for (const { link } of this.#links.values()) link.close('the server stops')
    this.#closing.abort(new BerthError('server.stopping', 'the server is stopping', { retryable: true }))
    await this.#presence.close()
    await this.#statuses.settled()
  }

  #onLine(node: string, link: AgentLink, line: FromAgent): void {
    // A line that was on its way when a newer link took over.
    if (this.#links.get(node)?.link !== link) return
    this.#presence.heard(node)
    if (line.type === 'hello' || line.type === 'node') this.#presence.describe(node, line.node)
    if (line.type === 'hello' || line.type === 'status') this.#statuses.report(node, line.instances)
    if (line.type === 'image-missing') void this.#images.bring(line.image, node)
    this.#options.listener.onReport(node, line)
  }

  #lost(node: string, link: AgentLink, error: unknown, log: Logger): void {
    if (this.#links.get(node)?.link === link) this.#links.delete(node)
    link.close('the sync stream ended')
    if (!this.#closing.signal.aborted) log.warn({ reason: messageOf(error) }, `the link to node ${node} ended`)
  }

  #removed(node: string): void {
    this.#links.get(node)?.link.close('the node was removed from the cluster')
    this.#links.delete(node)
    this.#presence.forget(node)
  }

  #forget({ node, id: instance, createdAt }: InstanceStatus): void {
    const incarnation = createdAt === undefined ? {} : { createdAt }
    this.#links.get(node)?.sync.send({ type: 'forget', revision: this.#state.revision, instance, ...incarnation })
  }

  #broadcast(line: ToAgent): void {
    for (const { sync } of this.#links.values()) sync.send(line)
  }

  #link(node: string): AgentLink {
    const connected = this.#links.get(node)
    if (connected !== undefined) return connected.link
    const what = this.#state.nodes.has(node)
      ? `node ${node} is not connected; is its agent running?`
      : `there is no node ${node}`
    throw new BerthError(this.#state.nodes.has(node) ? 'node.offline' : 'node.not-found', what, {
      retryable: true,
      details: { node },
    })
  }
}
