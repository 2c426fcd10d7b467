import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RoutesReport } from '@berth/api'
import {
  BerthError,
  type BirdConfig6,
  formatBlock,
  messageOf,
  type NetworkConfig,
  type NetworkPeer,
  type NodeRouting,
  renderBirdConfig,
} from '@berth/core'
import type { Logger } from 'pino'
import { type HostRoute, readRoutes, readRoutes6 } from '../network/host-state.ts'
import { ownBlocks6, targetOf6 } from '../network/ipv6-plan.ts'
import { type AddressPlan, ownBlocks, planAddresses, planNetwork } from '../network/network-plan.ts'
import { type Exec, runCommand } from '../network/run-command.ts'
import { repeat } from '../node/repeat.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import type { Sealer } from '../state/sealer.ts'
import { BirdKeeper } from './bird-keeper.ts'
import { readProtocols } from './bird-report.ts'
import { readHops6 } from './hops6.ts'
import { ensureRules, ensureRules6, removeTable, tableRoutes } from './kernel-routes.ts'
import { routesReport } from './routes-report.ts'
import { SessionWatch } from './session-watch.ts'

export interface RoutingServiceOptions {
  readonly directory: string
  /** In memory; for what BIRD needs while it runs. */
  readonly runDirectory: string
  readonly sealer: Sealer
  readonly log: Logger
  readonly network: () => NetworkConfig | undefined
  /** Makes the static routes that are to be. */
  readonly checkNetwork: (signal: AbortSignal) => Promise<unknown>
  /** Addresses that this node's gateway has beside others', while it has them; routers are told of them. */
  readonly anycast?: () => readonly string[]
  /** After every look: what is wrong, if anything is; {@link RoutingService.summary} may be another. */
  readonly onLook: (problem: string | undefined) => void
  readonly exec?: Exec
  /** See {@link BirdKeeper}. */
  readonly namespace?: string
  readonly lookMs?: number
}

interface Options {
  readonly signal: AbortSignal
}

type Bgp = Extract<NodeRouting, { readonly mode: 'bgp' }>

const context = 'routing'
/** What others might do to us is looked for at every so many looks: it costs processes, or a look at all of them. */
const looksBetweenRules = 5
const looksBetweenOthers = 15

/**
 * How this node learns the way to others' blocks, as it was ordered last: by static routes, which the node's network makes, or by BIRD, which
 * this keeps running. Of the two kinds the old one goes only where the new one is there. See `docs/design/routes.md`.
 */
export class RoutingService implements AsyncDisposable {
  readonly #options: RoutingServiceOptions
  readonly #exec: Exec
  readonly #keeper: BirdKeeper
  readonly #watch = new SessionWatch()
  readonly #path: string
  #order: NodeRouting | undefined
  /** Nothing of BGP is left on this node. */
  #isRetired = false
  #looks = 0
  /** What they were made for last. */
  #rules: string | undefined
  #ipv6: { readonly of: NetworkConfig; readonly config: BirdConfig6 | undefined } | undefined
  #disturbed: string | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #loop: AsyncDisposable | undefined

  constructor(options: RoutingServiceOptions) {
    const { directory, runDirectory, log, exec = runCommand, namespace } = options
    this.#options = options
    this.#exec = exec
    this.#keeper = new BirdKeeper({ runDirectory, logDirectory: directory, exec, log, namespace })
    this.#path = join(directory, 'order')
  }

  /** Takes up what was ordered before. */
  async resume(): Promise<void> {
    this.#order = await this.#read()
    if (this.#order !== undefined) this.#begin()
  }

  /** BIRD goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop?.[Symbol.asyncDispose]()
    await this.#turn
  }

  /** Known at once, on the disk when it resolves; made true from then on. */
  async apply(order: NodeRouting): Promise<void> {
    const text = JSON.stringify(order)
    if (text === JSON.stringify(this.#order)) return
    this.#order = order
    this.#isRetired = false
    this.#looks = 0
    this.#begin()
    await writeFileAtomic(this.#path, this.#options.sealer.seal(text, context))
  }

  /** Blocks that BGP, or a provider's table, has brought a route to, whose static ones are not needed any more; undefined: routes are static. */
  async learned({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined
  } = {}): Promise<ReadonlySet<string> | undefined> {
    if (this.#order?.mode === 'cloud') return new Set(this.#order.inForce)
    if (this.#order?.mode !== 'bgp') return undefined
    const routes6 = this.#hasIpv6 ? await tableRoutes(this.#exec, { signal }, '-6') : []
    return new Set([...(await tableRoutes(this.#exec, { signal })).map(blockText), ...routes6.map(targetOf6)])
  }

  /** Which addresses are whose has changed, or which of them are told to routers: it is told to others at once, and not at the next look. */
  networkChanged(): void {
    if (this.#order?.mode === 'bgp') this.#begin()
  }

  /** For the node's status. */
  get summary(): { readonly mode: 'bgp'; readonly sessions: number; readonly up: number } | undefined {
    if (this.#order?.mode !== 'bgp') return undefined
    const up = this.#watch.states.filter(({ isUp }) => isUp).length
    return { mode: 'bgp', sessions: this.#order.sessions.length, up }
  }

  async report({ signal }: Options): Promise<RoutesReport> {
    const bird = (await this.#keeper.isRunning()) ? this.#keeper : undefined
    return await routesReport({
      ...{ mode: this.#order?.mode ?? 'static', exec: this.#exec, bird, signal },
      states: this.#watch.states,
    })
  }

  #begin(): void {
    const { lookMs = 2_000 } = this.#options
    this.#loop ??= repeat(lookMs, (signal) => this.#inTurn(() => this.#look(signal)))
    void this.#inTurn(() => this.#look(AbortSignal.timeout(60_000))).catch(() => undefined)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const [order, network] = [this.#order, this.#options.network()]
    if (order === undefined || network === undefined || network.block === '') return
    try {
      const problems =
        order.mode === 'bgp' ? await this.#speak(order, network, signal) : await this.#retire(order, network, signal)
      this.#options.onLook(problems.length === 0 ? undefined : problems.join('; '))
    } catch (error) {
      if (!signal.aborted) this.#options.onLook(messageOf(error))
    }
  }

  async #speak(order: Bgp, network: NetworkConfig, signal: AbortSignal): Promise<readonly string[]> {
    const plan = planAddresses(network)
    const ipv6 = await this.#planIpv6(order, network, signal)
    await this.#keepRules(plan, signal)
    const text = textOf(order, plan, this.#keeper, { ipv6, anycast: this.#options.anycast?.() ?? [] })
    const refusal = await sentenceOf(() => this.#keeper.keep(text, { signal }))
    // Where BIRD is not started because of another one, that says so already.
    if (this.#looks % looksBetweenOthers === 0 && refusal === undefined)
      this.#disturbed = await sentenceOf(() => this.#keeper.requireNoOther({ signal }))
    this.#looks += 1
    const problems = [refusal, refusal === undefined ? this.#disturbed : undefined].filter((each) => each !== undefined)
    if (!(await this.#keeper.isRunning())) {
      this.#watch.forget()
      return problems
    }
    const { lines } = await this.#keeper.ask('show protocols', { signal })
    const now = Date.now()
    this.#watch.note(order.sessions, readProtocols(lines), now)
    return [...problems, ...this.#watch.problems(now)]
  }

  get #hasIpv6(): boolean {
    return (this.#options.network()?.twins ?? []).length > 0
  }

  /** Looked at again now and then: links and addresses of the host change. */
  async #planIpv6(order: Bgp, network: NetworkConfig, signal: AbortSignal): Promise<BirdConfig6 | undefined> {
    if (!this.#hasIpv6) return undefined
    if (this.#ipv6?.of === network && this.#looks % looksBetweenRules !== 0) return this.#ipv6.config
    const plan = planNetwork(network).ipv6
    if (plan !== undefined) await ensureRules6(this.#exec, plan, { signal })
    const config = plan && {
      ...{ pools: plan.pools, blocks: ownBlocks6(plan), away: plan.away, source: plan.gateway },
      ...(await readHops6(this.#exec, plan, order.address, { signal })),
    }
    this.#ipv6 = { of: network, config }
    return config
  }

  async #keepRules(plan: AddressPlan, signal: AbortSignal): Promise<void> {
    const { pools, block, addresses, away } = plan
    const text = JSON.stringify({ pools, block, addresses, away })
    if (text === this.#rules && this.#looks % looksBetweenRules !== 0) return
    await ensureRules(this.#exec, plan, { signal })
    this.#rules = text
  }

  /** The static routes, or those of a provider's table, come first. Where one is not there, both kinds stay. */
  async #retire(
    order: Exclude<NodeRouting, Bgp>,
    network: NetworkConfig,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    if (this.#isRetired) return []
    if ((await this.#keeper.isRunning()) || (await tableRoutes(this.#exec, { signal })).length > 0) {
      await this.#options.checkNetwork(signal)
      const inForce = new Set(order.mode === 'cloud' ? order.inForce : [])
      const missing = await this.#withoutRoute(network, inForce, signal)
      if (missing.length > 0) return [heldUp(order.mode, missing)]
      await this.#keeper.stop({ signal })
      this.#options.log.info({ mode: order.mode }, 'routes do not come from BGP any more; BIRD has ended')
    }
    await removeTable(this.#exec, { signal })
    this.#watch.forget()
    this.#isRetired = true
    return []
  }

  async #withoutRoute(network: NetworkConfig, inForce: ReadonlySet<string>, signal: AbortSignal): Promise<string[]> {
    const there = new Set([...allOf(network), ...inForce, ...(await readRoutes(this.#exec, signal)).map(blockText)])
    const missing = network.peers.filter((peer) => allOf(peer).some((each) => !there.has(each)))
    return [...new Set([...missing.map(({ node }) => node), ...(await this.#withoutRoute6(network, signal))])]
  }

  async #withoutRoute6(network: NetworkConfig, signal: AbortSignal): Promise<string[]> {
    const plan = this.#hasIpv6 ? planNetwork(network).ipv6 : undefined
    if (plan === undefined) return []
    const there = new Set((await readRoutes6(this.#exec, signal)).map(targetOf6))
    return plan.peers.filter((peer) => ownBlocks6(peer).some((each) => !there.has(each))).map(({ node }) => node)
  }

  async #read(): Promise<NodeRouting | undefined> {
    const sealed = await readFile(this.#path, 'utf8').catch(() => undefined)
    if (sealed === undefined) return undefined
    try {
      return JSON.parse(this.#options.sealer.open(sealed, context)) as NodeRouting
    } catch (error) {
      this.#options.log.warn({ err: error }, 'what was known of routes cannot be read; it waits for a server')
      return undefined
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}

/** Why it could not be done; an abort is no reason. */
async function sentenceOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (!(error instanceof BerthError)) throw error
    return error.message
  }
}

function textOf(
  routing: Bgp,
  plan: AddressPlan,
  { files }: BirdKeeper,
  { ipv6, anycast }: { readonly ipv6: BirdConfig6 | undefined; readonly anycast: readonly string[] },
): string {
  return renderBirdConfig({
    ...{ routing, source: plan.gateway, logPath: files.log },
    pools: plan.pools.map(formatBlock),
    blocks: ownBlocks(plan).map(formatBlock),
    away: plan.away.map(formatBlock),
    ...{ ipv6, anycast },
  })
}

/** All that leads to a node. */
const allOf = ({ block, blocks = [], addresses = [] }: Omit<NetworkPeer, 'node' | 'via'>): string[] => [
  ...[block, ...blocks, ...addresses.map((each) => `${each}/32`)],
]

/** A single address is printed without its prefix. */
const blockText = ({ dst }: HostRoute): string => (dst.includes('/') ? dst : `${dst}/32`)

const heldUp = (mode: 'static' | 'cloud', nodes: readonly string[]): string => {
  const wanted = mode === 'static' ? 'to be static' : 'to be entries of a provider’s table'
  const named = nodes.slice(0, 4).join(', ')
  const more = nodes.length > 4 ? ` and ${nodes.length - 4} more` : ''
  return `routes are ${wanted}, but there is none to ${named}${more}: BIRD goes on until there is; or go back: berth net set --routes bgp`
}
