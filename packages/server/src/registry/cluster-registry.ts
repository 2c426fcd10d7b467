import type { RegistryCollection, RegistryReport } from '@berth/api'
import {
  BerthError,
  messageOf,
  missingImages,
  neededPlaces,
  placeText,
  registryPlace,
  type StoredImage,
  unneededImages,
} from '@berth/core'
import { requireApp } from '../controllers/operations/lookup.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { ImageRegistryRecord, Records, RecordTransaction, RegistryHome, State } from '../records/index.ts'
import type { RegistryAgents } from './registry-agents.ts'
import type { RegistryAt, RegistryOrders } from './registry-orders.ts'

export interface ClusterRegistryOptions {
  readonly records: Records
  readonly agents: RegistryAgents
  readonly orders: RegistryOrders
  readonly now?: () => number
}

export interface RegistryStatus {
  /** Without a host: its node has been removed. */
  readonly place?: RegistryHome & { readonly host?: string }
  /** Absent: its node could not be asked. */
  readonly report?: RegistryReport
  readonly problem?: string
  /** Images of releases that it does not have. */
  readonly missing: number
}

export interface ImageOfApp {
  readonly image: string
  readonly stored: StoredImage
  /** `v7`, oldest first. */
  readonly releases: readonly string[]
}

export const defaultRegistryPort = 5000
export const minFreeBytes = 1024 ** 3
const recordName = 'cluster'
const startMs = 60_000
const answerMs = 60_000
const collectMs = 3_600_000

/** The cluster's own registry: what people do with it. What follows from that is the keeper's. */
export class ClusterRegistry {
  readonly #options: ClusterRegistryOptions
  readonly #state: State
  readonly #now: () => number

  constructor(options: ClusterRegistryOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#now = options.now ?? Date.now
  }

  /**
   * Puts it on a node, or elsewhere: images are pushed again from the nodes that have them. Resolves when it serves. Throws
   * `registry.no-node`, `node.not-found`, `node.offline`, `registry.program-missing`, `registry.port-taken`, …
   */
  async run(wanted: { readonly node?: string | undefined; readonly port?: number | undefined }, context: CallContext) {
    const { records } = this.#options
    const before = registryHome(this.#state)
    const node = wanted.node ?? before?.node ?? this.#onlyNode()
    const port = wanted.port ?? before?.port ?? defaultRegistryPort
    const report = await this.#order({ node, port }, within(context.signal, startMs))
    await records.commit(context.actor, (tx) => {
      const known = registryHome(this.#state)
      if (known?.node === node && known.port === port) return
      const moved = known === undefined || known.node === node ? [] : [{ node: known.node, purge: true }]
      const left = [...leftNodes(this.#state), ...moved].filter((each) => each.node !== node)
      const place = { node, port, since: this.#now(), by: context.actor }
      putRegistry(tx, { name: recordName, place, left })
      tx.event({ type: 'registry.run', subject: { node }, message: `the registry runs on ${node}` })
    })
    return this.#statusOf(report)
  }

  /** Asks its node. */
  async status({ signal }: { readonly signal: AbortSignal }): Promise<RegistryStatus> {
    const home = registryHome(this.#state)
    if (home === undefined) return { missing: 0 }
    try {
      const report = await this.#options.agents.report(home.node, { signal: within(signal, answerMs), size: true })
      return this.#statusOf(report)
    } catch (error) {
      signal.throwIfAborted()
      return { ...this.#placeOf(home), problem: messageOf(error), missing: 0 }
    }
  }

  /**
   * Images of an app that it has, the newest first (by when they were built: one is pushed again to a registry that is put elsewhere), with the releases that are made of each: none where these went, until a collection takes
   * the image, too. Throws `app.not-found`, `registry.none`, `node.offline`.
   */
  async imagesOf(app: string, { signal }: { readonly signal: AbortSignal }): Promise<ImageOfApp[]> {
    requireApp(this.#state, app)
    const { node } = this.#home()
    const { images } = await this.#options.agents.report(node, { signal: within(signal, answerMs), app })
    const releases = this.#state.releases.byApp(app)
    return images
      .filter(({ repository }) => repository === `berth/app-${app}`)
      .sort((a, b) => (b.builtAt ?? b.pushedAt) - (a.builtAt ?? a.pushedAt))
      .map((stored) => ({
        ...{ stored, image: `sha256:${stored.tag}` },
        releases: releases.filter((each) => registryPlace(each)?.tag === stored.tag).map(({ id }) => id),
      }))
  }

  /** Takes out what no release is made of, unless it is younger than that. Throws `registry.none`, `node.offline`. */
  async collect(youngMs: number, context: CallContext): Promise<RegistryCollection> {
    const { agents, records } = this.#options
    const { node } = this.#home()
    const { images } = await agents.report(node, { signal: within(context.signal, answerMs) })
    // Judged in the turn in which it begins: what a release is made of by now stays.
    const needed = neededPlaces(this.#state.releases.all())
    const remove = unneededImages(images, needed, { now: this.#now(), youngMs })
    const places = remove.map(({ repository, tag }) => ({ repository, tag }))
    const collected = await agents.collect(node, places, { signal: within(context.signal, collectMs) })
    if (collected.removed > 0)
      await records.commit(context.actor, (tx) =>
        tx.event({
          type: 'registry.collected',
          subject: { node },
          message: `${collected.removed} images that no release needs went from the registry`,
        }),
      )
    return collected
  }

  /** From now on images go from node to node again. Throws `registry.none`. */
  async stop({ purge }: { readonly purge: boolean }, context: CallContext): Promise<void> {
    await this.#options.records.commit(context.actor, (tx) => {
      const { node } = this.#home()
      putRegistry(tx, { name: recordName, left: [...leftNodes(this.#state), { node, purge }] })
      tx.event({ type: 'registry.stopped', subject: { node }, message: `the registry on ${node} was stopped` })
    })
  }

  /** Nothing is started anew that is as it should be. */
  async #order(at: RegistryAt, signal: AbortSignal): Promise<RegistryReport> {
    const { agents, orders } = this.#options
    // Whether there is such a node comes before whether it answers.
    const order = await orders.make(at)
    const report = await agents.report(at.node, { signal })
    return report.running && orders.isInForce(at, report) ? report : await agents.run(at.node, order, { signal })
  }

  #statusOf(report: RegistryReport): RegistryStatus {
    const home = this.#home()
    const missing = missingImages(this.#state.releases.all(), new Set(report.images.map(placeText))).length
    const problem = report.problem ?? (hasRoom(report) ? undefined : fullText(home.node))
    return { ...this.#placeOf(home), report, missing, ...(problem === undefined ? {} : { problem }) }
  }

  #placeOf(home: RegistryHome): Pick<RegistryStatus, 'place'> {
    const host = this.#state.nodes.has(home.node) ? { host: this.#options.orders.hostOf(home) } : {}
    return { place: { ...home, ...host } }
  }

  #home(): RegistryHome {
    const home = registryHome(this.#state)
    if (home !== undefined) return home
    throw new BerthError('registry.none', 'the cluster has no registry of its own; make one: berth registry run')
  }

  #onlyNode(): string {
    const [first, ...others] = this.#state.nodes.ids()
    if (first !== undefined && others.length === 0) return first
    throw new BerthError('registry.no-node', 'run the registry: say on which node, with --node; see: berth node ls')
  }
}

export const registryHome = (state: State): RegistryHome | undefined => state.imageRegistries.get(recordName)?.place
export const leftNodes = (state: State): ImageRegistryRecord['left'] =>
  state.imageRegistries.get(recordName)?.left ?? []

/** A node that was told is not named any more; the record goes with the last one. */
export function forgetLeft(tx: RecordTransaction, state: State, node: string): void {
  const known = state.imageRegistries.get(recordName)
  if (known !== undefined) putRegistry(tx, { ...known, left: known.left.filter((each) => each.node !== node) })
}

function putRegistry(tx: RecordTransaction, record: ImageRegistryRecord): void {
  if (record.place === undefined && record.left.length === 0)
    tx.delete('imageRegistries', recordName, { ifUnchanged: true })
  else tx.put('imageRegistries', record, { ifUnchanged: true })
}

/** Pushes stop before the disk is full: other things live there, too. */
export const hasRoom = ({ freeBytes }: RegistryReport): boolean => freeBytes === undefined || freeBytes >= minFreeBytes

const fullText = (node: string): string =>
  `less than 1 GiB is free on the disk of ${node}: nothing is pushed until there is more; free some, or berth registry gc`

/** Until it aborts, and no longer than that. */
export const within = (signal: AbortSignal | undefined, ms: number): AbortSignal =>
  signal === undefined ? AbortSignal.timeout(ms) : AbortSignal.any([signal, AbortSignal.timeout(ms)])
