import {
  type AddressPool,
  type AddressReport,
  type BlockStep,
  blocksOf,
  containsAddress,
  defaultReturnAfterMs,
  freeBlockOf,
  type Node,
  nextBlockStep,
  parseBlock,
  spareAddresses,
  withStep,
} from '@berth/core'
import type { Logger } from 'pino'
import type { AgentLinks } from '../agents/agent-links.ts'
import { KeyLoop } from '../controllers/key-loop.ts'
import type { Records, RecordTransaction, State, StateChange } from '../records/index.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import { ownAddressOf } from './address-history.ts'
import { askForAddresses } from './asked-addresses.ts'
import { isLentIn } from './lenders.ts'
import { blocksFence } from './pools-of.ts'

export interface BlockKeeperOptions {
  readonly records: Records
  readonly books: Pick<LiveBooks, 'onStarved' | 'room' | 'kept'>
  readonly agents: Pick<AgentLinks, 'request'>
  readonly log: Logger
  readonly now?: () => number
  /** After which a node is asked again that has not said that a block is out of use. */
  readonly retryMs?: number
}

const defaultRetryMs = 30_000

/**
 * Gives nodes further blocks of their pool before their addresses are used up, and takes back what has been empty for long. A block is claimed under the fence
 * of all blocks, so no two nodes have one; it goes in two steps: nothing is given of it any more (under the node's fence, so no decision under way gives
 * any), and when the node has said since that it has no address of it in use, it is nobody's.
 */
export class BlockKeeper implements AsyncDisposable {
  readonly #options: BlockKeeperOptions
  readonly #state: State
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #stops: readonly (() => void)[]
  /** Nodes on which an instance found no address, and how many they had for instances then. */
  readonly #wanted = new Map<string, number>()
  /** By `<node> <block>`. */
  readonly #emptySince = new Map<string, number>()

  constructor(options: BlockKeeperOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'blocks',
      process: (node, signal) => this.#process(node, signal),
      log: options.log,
      now: this.#now,
    })
    this.#stops = [
      this.#state.changes.subscribe((change) => this.#onChange(change)),
      options.books.onStarved((node) => {
        this.#wanted.set(node, options.books.room.addressesNow(node))
        this.#loop.mark(node)
      }),
    ]
    this.#markAll()
  }

  idle = (): Promise<void> => this.#loop.idle()

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    const { kind } = change
    if (kind === 'instances') {
      for (const each of [change.before, change.after])
        for (const node of [each?.node, each?.borrowedFrom]) if (node !== undefined) this.#loop.mark(node)
    } else if (kind === 'nodes' || kind === 'nodeStatuses') this.#loop.mark(change.id)
    else if (kind === 'keptAddresses' || kind === 'addressPools') this.#markAll()
  }

  #markAll(): void {
    for (const name of this.#state.nodes.ids()) this.#loop.mark(name)
  }

  /** Returns when to look again. */
  async #process(name: string, signal: AbortSignal): Promise<number | undefined> {
    const node = this.#state.nodes.get(name)
    if (node === undefined || this.#isQuiet(node)) {
      this.#forget(name, [])
      return undefined
    }
    const now = this.#now()
    const step = this.#nextStep(node, now)
    if (step === undefined) {
      this.#wanted.delete(name)
      return this.#nextLook(node, now)
    }
    const { records, retryMs = defaultRetryMs } = this.#options
    if (step.do === 'return' && !(await this.#isUnused(name, step.block, signal))) return this.#now() + retryMs
    const { value } = await records.commit('system:addresses', (tx) => this.#carryOut(tx, node, step), { signal })
    this.#wanted.delete(name)
    // What was done is a change of the node, which is looked at then.
    return value ? undefined : this.#now() + retryMs
  }

  /** Nearly all nodes have one block and enough addresses left: that is known without looking at each instance. */
  #isQuiet({ name, block, furtherBlocks = [] }: Node): boolean {
    if (block === '') return true
    if (furtherBlocks.length > 0 || this.#wanted.has(name)) return false
    const { books } = this.#options
    const free = books.room.ofFirst(name) + books.kept.moreOn(name) - this.#state.instances.countOnNode(name)
    return free > spareAddresses(block)
  }

  #nextStep(node: Node, now: number): BlockStep | undefined {
    const { room } = this.#options.books
    const { network } = this.#state.nodeStatuses.get(node.name) ?? {}
    const used = this.#usedOn(node.name)
    const usedIn = (block: string): number => countIn(block, used)
    const offer = room.offerFor(node)
    this.#noteEmpty(node, usedIn, now)
    const step = nextBlockStep({
      ...{ node, network, usedIn, isOffered: offer !== undefined, limit: offer?.limit ?? 1 },
      // Those that have come since may be enough.
      isWanted: (this.#wanted.get(node.name) ?? -1) >= room.addressesNow(node.name),
      freeBlock: () => (offer === undefined ? undefined : this.#freeBlockOf(offer.pool)),
      emptySince: (block) => this.#emptySince.get(`${node.name} ${block}`),
      ...{ idleMs: this.#idleMs(node), now },
    })
    const goes = step?.do === 'leave' || step?.do === 'return'
    return goes && this.#isHeldAnywhere(step.block) ? undefined : step
  }

  #freeBlockOf(pool: AddressPool): string | undefined {
    return freeBlockOf(pool, (block) => this.#state.nodes.hasBlock(block), isLentIn(this.#state))
  }

  /** Of its instances, until they are forgotten, those that entrypoints keep, and those that are lent. */
  #usedOn(name: string): ReadonlySet<string> {
    const own = this.#state.instances.byNode(name).flatMap((each) => ownAddressOf(each)?.address ?? [])
    const lent = this.#state.instances.borrowers().flatMap(({ address }) => address ?? [])
    return new Set([...own, ...lent, ...this.#state.keptAddresses.ids()])
  }

  /** Asked only before a block goes. An address that was kept, or is lent, may be on another node. */
  #isHeldAnywhere(block: string): boolean {
    const parsed = parseBlock(block)
    for (const id of this.#state.instances.ids()) {
      const address = this.#state.instances.field(id, 'address')
      if (address !== undefined && containsAddress(parsed, address)) return true
    }
    return false
  }

  #noteEmpty(node: Node, usedIn: (block: string) => number, now: number): void {
    const further = blocksOf(node).slice(1)
    for (const block of further) {
      const key = `${node.name} ${block}`
      if (usedIn(block) > 0) this.#emptySince.delete(key)
      else if (!this.#emptySince.has(key)) this.#emptySince.set(key, now)
    }
    this.#forget(node.name, further)
  }

  #forget(name: string, except: readonly string[]): void {
    for (const key of this.#emptySince.keys())
      if (key.startsWith(`${name} `) && !except.includes(key.slice(name.length + 1))) this.#emptySince.delete(key)
  }

  /** When the next of those that are empty has been so for long enough; those that have stay for now, for a reason that may pass. */
  #nextLook(node: Node, now: number): number | undefined {
    const { name, furtherBlocks = [] } = node
    const [idleMs, retryMs] = [this.#idleMs(node), this.#options.retryMs ?? defaultRetryMs]
    const times = furtherBlocks.flatMap(({ block }) => {
      const since = this.#emptySince.get(`${name} ${block}`)
      if (since === undefined) return []
      return [since + idleMs > now ? since + idleMs : now + retryMs]
    })
    return times.length === 0 ? undefined : Math.min(...times)
  }

  #idleMs(node: Node): number {
    return this.#options.books.room.poolFor(node)?.returnAfterMs ?? defaultReturnAfterMs
  }

  /** By the word of the node itself, since nothing is given of it any more. */
  async #isUnused(node: string, block: string, signal: AbortSignal): Promise<boolean> {
    const { agents, log } = this.#options
    const { answers } = await askForAddresses({ agents, nodes: [node], signal })
    const report = answers[0]?.answer
    if (report === undefined || report.engineProblem !== undefined) return false
    const users = usersOf(parseBlock(block), report)
    if (users.length > 0)
      log.warn({ node, block, users }, 'a block is not given back while a container has an address of it')
    return users.length === 0
  }

  /** Only if it is still what is to be done; else false. */
  #carryOut(tx: RecordTransaction, before: Node, step: BlockStep): boolean {
    const node = this.#state.nodes.get(before.name)
    const updatedAt = this.#now()
    const now = node === undefined ? undefined : this.#nextStep(node, updatedAt)
    const isSame = now?.do === step.do && (step.do === 'take' || now.block === step.block)
    // Another server has had it kept, and then leave again: then the node is asked again.
    if (node === undefined || !isSame || leavingSince(node, step) !== leavingSince(before, step)) return false
    const { furtherBlocks: had = [], ...rest } = node
    const furtherBlocks = withStep(had, now, updatedAt)
    tx.put('nodes', furtherBlocks.length === 0 ? rest : { ...rest, furtherBlocks }, { ifUnchanged: true })
    tx.put('fences', { node: blocksFence, updatedAt }, { ifUnchanged: true })
    const fence = this.#state.fences.get(node.name) ?? { node: node.name, updatedAt }
    tx.put('fences', { ...fence, updatedAt }, { ifUnchanged: true })
    if (now.do === 'take' || now.do === 'return')
      tx.event({
        type: now.do === 'take' ? 'node.block-added' : 'node.block-returned',
        subject: { node: node.name },
        message:
          now.do === 'take'
            ? `${node.name} got the further block ${now.block}`
            : `${node.name} gave back the block ${now.block}, which nobody had an address of`,
      })
    return true
  }
}

const leavingSince = ({ furtherBlocks = [] }: Node, { block }: BlockStep): number | undefined =>
  furtherBlocks.find((each) => each.block === block)?.leavingSince

function countIn(block: string, addresses: ReadonlySet<string>): number {
  const parsed = parseBlock(block)
  let count = 0
  for (const each of addresses) if (containsAddress(parsed, each)) count += 1
  return count
}

/** Containers, running or not, and what is held for some that there are not. */
function usersOf(block: ReturnType<typeof parseBlock>, { containers, left }: AddressReport): string[] {
  return [...containers, ...left].flatMap(({ name, address }) =>
    address !== undefined && containsAddress(block, address) ? [`${name} (${address})`] : [],
  )
}
