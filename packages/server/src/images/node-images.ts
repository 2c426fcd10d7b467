import { BerthError, type JudgedImage, judgeImages, messageOf, type NodeImage } from '@berth/core'
import type { Logger } from 'pino'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, State } from '../records/index.ts'
import { imageNeeds } from './image-needs.ts'
import type { ImageRemovals } from './image-removals.ts'

interface SignalOptions {
  readonly signal: AbortSignal
}

/** What is asked of an agent; rejects with `node.offline` when it is not there. */
export interface ImageAgents {
  isConnected(node: string): boolean
  listImages(node: string, options: SignalOptions): Promise<readonly NodeImage[]>
  /** Docker refuses while a container is made of it. */
  removeImage(node: string, reference: string, options: SignalOptions): Promise<void>
}

export interface NodeImagesOptions {
  readonly records: Records
  readonly agents: ImageAgents
  readonly removals: ImageRemovals
  readonly log: Logger
  /** Of each node in one go; the rest waits for the next one. */
  readonly perNode?: number
  /** Images younger than this are left alone: their release may be on its way. */
  readonly youngMs?: number
  readonly intervalMs?: number
  /** How long after a release went its images are looked for. */
  readonly soonMs?: number
  readonly now?: () => number
}

export type ImageOnNode = JudgedImage & { readonly node: string }

export interface ImagesOfNodes {
  readonly images: readonly ImageOnNode[]
  /** Nodes that could not be asked, with why. */
  readonly unreachable: readonly { readonly node: string; readonly message: string }[]
}

const actor = 'system:images'
const defaults = { perNode: 50, youngMs: 600_000, intervalMs: 900_000, soonMs: 10_000 }
const answerMs = 60_000
const removeMs = 180_000
const namedInEvents = 5

/**
 * Images follow releases: what no release is made of, no container runs and no build may need goes from the nodes, a bounded number at a
 * time, one node after the other. Nothing is remembered: what is there and what is needed is asked anew each time.
 */
export class NodeImages implements AsyncDisposable {
  readonly #options: NodeImagesOptions
  readonly #state: State
  readonly #limits: typeof defaults
  readonly #now: () => number
  readonly #closing = new AbortController()
  /** One pass at a time, whoever wants it. */
  #passes: Promise<unknown> = Promise.resolve()

  constructor(options: NodeImagesOptions) {
    const { perNode, youngMs, intervalMs, soonMs } = { ...defaults, ...options }
    this.#options = options
    this.#state = options.records.state
    this.#limits = { perNode, youngMs, intervalMs, soonMs }
    this.#now = options.now ?? Date.now
  }

  /** Images of the node, or of all that are connected, with what speaks for each. Throws `node.not-found`. */
  async list(node: string | undefined, { signal }: SignalOptions): Promise<ImagesOfNodes> {
    const found = await Promise.all(
      this.#nodes(node).map(async (name) => {
        try {
          return { images: await this.#judged(name, this.#limits.youngMs, signal) }
        } catch (error) {
          signal.throwIfAborted()
          return { unreachable: { node: name, message: messageOf(error) } }
        }
      }),
    )
    return {
      images: found.flatMap(({ images }) => images ?? []),
      unreachable: found.flatMap(({ unreachable }) => unreachable ?? []),
    }
  }

  /** Removes what is not needed now, without waiting for its turn, also what is young. Resolves to what went. */
  async prune(node: string | undefined, context: CallContext): Promise<ImagesOfNodes> {
    const nodes = this.#nodes(node)
    const signal = context.signal ?? this.#closing.signal
    return await this.#inTurn(async () => {
      const images: ImageOnNode[] = []
      const unreachable: { node: string; message: string }[] = []
      for (const name of nodes) {
        try {
          images.push(
            ...(await this.#clean(name, { by: context.actor, youngMs: 0, most: Number.POSITIVE_INFINITY, signal })),
          )
        } catch (error) {
          signal.throwIfAborted()
          unreachable.push({ node: name, message: messageOf(error) })
        }
      }
      return { images, unreachable }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#passes
  }

  /** From now on images go by themselves, until what is returned is disposed: now and then, and soon after a release has gone. */
  sweep(): AsyncDisposable {
    const { intervalMs, soonMs } = this.#limits
    const closing = new AbortController()
    const signal = AbortSignal.any([closing.signal, this.#closing.signal])
    let soon: NodeJS.Timeout | undefined
    const lookSoon = (): void => {
      soon ??= setTimeout(() => {
        soon = undefined
        this.#pass(signal, lookSoon)
      }, soonMs)
      soon.unref()
    }
    const unsubscribe = this.#state.changes.subscribe((change) => {
      if (change.kind === 'releases' && change.after === undefined) lookSoon()
    })
    const timer = setInterval(() => this.#pass(signal, lookSoon), intervalMs)
    timer.unref()
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(timer)
        clearTimeout(soon)
        unsubscribe()
      },
      { once: true },
    )
    return {
      [Symbol.asyncDispose]: async () => {
        closing.abort()
        await this.#passes
      },
    }
  }

  #pass(signal: AbortSignal, lookSoon: () => void): void {
    const { youngMs, perNode: most } = this.#limits
    void this.#inTurn(async () => {
      for (const node of this.#state.nodes.ids()) {
        if (signal.aborted || !this.#options.agents.isConnected(node)) continue
        try {
          const gone = await this.#clean(node, { by: actor, youngMs, most, signal })
          if (gone.length === most) lookSoon()
        } catch (error) {
          if (!signal.aborted)
            this.#options.log.warn({ err: error, node }, `remove images from ${node}: ${messageOf(error)}`)
        }
      }
    })
  }

  #inTurn<T>(pass: () => Promise<T>): Promise<T> {
    const turn = this.#passes.then(pass)
    this.#passes = turn.catch(() => undefined)
    return turn
  }

  async #clean(
    node: string,
    { by, youngMs, most, signal }: { by: string; youngMs: number; most: number; signal: AbortSignal },
  ): Promise<ImageOnNode[]> {
    const gone: ImageOnNode[] = []
    const passed = new Set<string>()
    let images = await this.#images(node, signal)
    while (gone.length < most) {
      // Judged anew each time, in the turn in which the removal begins: a build that began meanwhile may need what nobody did before.
      const next = this.#judge(node, images, youngMs)
        .filter(({ verdict, reference }) => verdict === 'unneeded' && !passed.has(reference))
        .sort((a, b) => a.createdAt - b.createdAt)[0]
      if (next === undefined) break
      passed.add(next.reference)
      if (!(await this.#remove(next, signal))) continue
      images = images.filter((image) => image.reference !== next.reference)
      gone.push(next)
    }
    if (gone.length > 0) await this.#tell(node, by, gone)
    return gone
  }

  /** False when it has to stay: a container was made of it meanwhile. */
  async #remove({ node, reference, sizeBytes }: ImageOnNode, signal: AbortSignal): Promise<boolean> {
    const { agents, removals, log } = this.#options
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(removeMs)])
      await removals.run(node, () => agents.removeImage(node, reference, { signal: limited }))
      log.info({ node, image: reference, bytes: sizeBytes }, `removed ${reference} from ${node}: nothing needs it`)
      return true
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof BerthError && error.code === 'node.offline') throw error
      log.info({ err: error, node, image: reference }, `${reference} stays on ${node}: ${messageOf(error)}`)
      return false
    }
  }

  async #judged(node: string, youngMs: number, signal: AbortSignal): Promise<ImageOnNode[]> {
    return this.#judge(node, await this.#images(node, signal), youngMs)
  }

  #judge(node: string, images: readonly NodeImage[], youngMs: number): ImageOnNode[] {
    const judged = judgeImages(images, imageNeeds(this.#state, node), { now: this.#now(), youngMs })
    return judged.map((image) => ({ node, ...image }))
  }

  async #images(node: string, signal: AbortSignal): Promise<readonly NodeImage[]> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    return await this.#options.agents.listImages(node, { signal: limited })
  }

  async #tell(node: string, by: string, gone: readonly ImageOnNode[]): Promise<void> {
    const names = gone.slice(0, namedInEvents).map((image) => image.reference)
    const more = gone.length > names.length ? ` and ${gone.length - names.length} more` : ''
    const message = `${gone.length} ${gone.length === 1 ? 'image' : 'images'} that no release needs went from ${node}: ${names.join(', ')}${more}`
    await this.#options.records.commit(by, (tx) =>
      tx.event({ type: 'node.images-removed', subject: { node }, message }),
    )
  }

  #nodes(node: string | undefined): string[] {
    if (node === undefined) return [...this.#state.nodes.ids()].sort()
    if (this.#state.nodes.has(node)) return [node]
    throw new BerthError('node.not-found', `there is no node ${node}; see: berth node ls`, { details: { node } })
  }
}
