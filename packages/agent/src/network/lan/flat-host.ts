import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, flatBridgeOf, flatBridgePrefix, linkOf, messageOf, type NodeLan } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../../state/atomic-file.ts'
import { type Exec, mustRun } from '../run-command.ts'
import { readFlatFacts } from './flat-facts.ts'
import {
  type FlatFacts,
  type FlatShape,
  gatewaysOf,
  isMoved,
  moveLines,
  ownIn,
  returnLines,
  shapeOf,
} from './flat-plan.ts'

export interface FlatHostOptions {
  readonly exec: Exec
  /** Keeps what was moved, for the next start. */
  readonly directory: string
  /** Whether a server answers: a machine that nobody reaches is worth no bridge. */
  readonly isReached: (call: Call) => Promise<boolean>
  readonly log: Logger
  /** How long the way out may take to be there again. */
  readonly settleMs?: number
  /** How long after a move that failed it is tried again. */
  readonly retryMs?: number
}

type Call = { readonly signal?: AbortSignal | undefined }

/** `moving`: nobody has seen yet that the machine is reached as it is now. */
interface Journal {
  readonly state: 'moving' | 'moved'
  readonly link: string
  readonly before: FlatShape
  /** What answered before it. */
  readonly server: boolean
  readonly gateways: readonly string[]
}

const defaults = { settleMs: 5_000, retryMs: 600_000 }
const lookMs = 200
/**
 * A busy router, or one of a busy machine, does not answer at once, and the kernel asks again after a second. One that is taken for
 * silent before the move is not asked after it either.
 */
const answerMs = 1_500

/** Moves the addresses of a machine's interface to a bridge, for containers to be in the same subnet, and back. */
export class FlatHost {
  readonly #options: FlatHostOptions
  readonly #failed = new Map<string, { readonly at: number; readonly error: BerthError }>()

  constructor(options: FlatHostOptions) {
    this.#options = options
  }

  /**
   * Makes the bridge, or finds it. Answers with the machine's own address in the subnet. A move after which a server or a router that answered
   * before does not is undone. Throws `lan.flat-impossible`, `lan.flat-unsure`, `lan.flat-undone`, `network.command-failed`.
   */
  async ensure(lan: NodeLan, { signal }: Call = {}): Promise<string> {
    const [link, bridge] = [linkOf(lan), flatBridgeOf(lan)]
    const facts = await readFlatFacts(this.#options.exec, link, bridge, signal)
    const shape = shapeOf(facts, [link, bridge])
    const own = ownIn(shape, lan.subnet)
    const hindrance = facts.link.hindrance ?? (own === undefined ? `has no address of ${lan.subnet}` : undefined)
    if (own === undefined || hindrance !== undefined)
      throw new BerthError('lan.flat-impossible', `network ${lan.name}: ${link} of this node ${hindrance}`)
    const journal = await this.#read(bridge)
    const isThere = isMoved(facts, bridge)
    if (isThere && journal?.state === 'moved') return own
    const failed = this.#failed.get(bridge)
    const { retryMs = defaults.retryMs } = this.#options
    if (failed !== undefined && performance.now() < failed.at + retryMs) throw failed.error
    await this.#move(lan, facts, isThere ? journal : undefined, journal?.state === 'moved', signal)
    return own
  }

  /** Gives the interface its addresses back, as they are now, and takes the bridge away; nothing when there is none of ours. */
  async undo(bridge: string, { signal }: Call = {}): Promise<void> {
    const link = bridge.slice(flatBridgePrefix.length)
    const facts = await readFlatFacts(this.#options.exec, link, bridge, signal)
    if (facts.bridge !== undefined) await this.#return(link, bridge, shapeOf(facts, [link, bridge]))
    await rm(this.#pathOf(bridge), { force: true })
    this.#options.log.info({ link, bridge }, 'gave an interface its addresses back')
  }

  /** `begun`: it was moved and nobody has seen yet that it is reached. `isProven`: it was reached that way once, before a reboot. */
  async #move(
    lan: NodeLan,
    facts: FlatFacts,
    begun: Journal | undefined,
    isProven: boolean,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const [link, bridge] = [linkOf(lan), flatBridgeOf(lan)]
    const before = begun?.before ?? shapeOf(facts, [link, bridge])
    const server = begun?.server ?? (await this.#options.isReached({ signal }))
    const gateways = begun?.gateways ?? (await this.#answering(gatewaysOf(before), link, signal))
    if (!server && !isProven)
      throw new BerthError(
        'lan.flat-unsure',
        `network ${lan.name}: the addresses of ${link} are moved to a bridge while a server is reached, to see that it still is then; none is now`,
        { retryable: true },
      )
    const journal = { link, before, server, gateways }
    await this.#write(bridge, { state: 'moving', ...journal })
    try {
      // From here on it is finished or undone, whoever wants to end meanwhile.
      if (begun === undefined) await this.#batch(moveLines(link, bridge, facts), [])
      if (!(await this.#isReachedAgain(bridge, gateways, server))) throw notReached(link, gateways, server)
    } catch (cause) {
      await this.#return(link, bridge, before)
      await rm(this.#pathOf(bridge), { force: true })
      const error = new BerthError(
        'lan.flat-undone',
        `network ${lan.name}: ${messageOf(cause)}; its addresses are back on ${link}, and it is tried again in some minutes`,
        { cause },
      )
      this.#failed.set(bridge, { at: performance.now(), error })
      throw error
    }
    this.#failed.delete(bridge)
    await this.#write(bridge, { state: 'moved', ...journal })
    this.#options.log.info({ link, bridge }, 'moved the addresses of an interface to a bridge')
  }

  async #return(link: string, bridge: string, shape: FlatShape): Promise<void> {
    await this.#batch(returnLines(link, bridge, shape), ['-force']).catch(() => undefined)
    const { addresses } = (await readFlatFacts(this.#options.exec, link, bridge)).link
    const missing = shape.addresses.find(({ local }) => !addresses.some((each) => each.local === local))
    if (missing !== undefined)
      throw new BerthError(
        'network.command-failed',
        `${link} of this node has lost its address ${missing.local}; give it back: ip address add ${missing.local}/${missing.prefixlen} dev ${link}`,
      )
  }

  async #isReachedAgain(bridge: string, gateways: readonly string[], server: boolean): Promise<boolean> {
    const { isReached, settleMs = defaults.settleMs } = this.#options
    const deadline = performance.now() + settleMs
    for (;;) {
      const signal = AbortSignal.timeout(Math.max(lookMs, Math.ceil(deadline - performance.now())))
      const answering = await this.#answering(gateways, bridge, undefined)
      if (answering.length === gateways.length && (!server || (await isReached({ signal }).catch(() => false))))
        return true
      if (performance.now() > deadline) return false
      await delay(lookMs)
    }
  }

  /** Routers that answer ARP by the link. */
  async #answering(gateways: readonly string[], dev: string, signal: AbortSignal | undefined): Promise<string[]> {
    const { exec } = this.#options
    const found = await Promise.all(
      gateways.map(async (gateway) => {
        await exec('ip', ['neigh', 'replace', gateway, 'dev', dev, 'use'], { signal })
        for (const deadline = performance.now() + answerMs; performance.now() < deadline; ) {
          await delay(lookMs)
          const { stdout } = await exec('ip', ['neigh', 'show', 'to', gateway, 'dev', dev], { signal })
          if (stdout.includes('lladdr')) return [gateway]
        }
        return []
      }),
    )
    return found.flat()
  }

  async #batch(lines: readonly string[], options: readonly string[]): Promise<void> {
    await mustRun(this.#options.exec, 'ip', [...options, '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }

  async #read(bridge: string): Promise<Journal | undefined> {
    const text = await readFile(this.#pathOf(bridge), 'utf8').catch(() => '')
    try {
      return text === '' ? undefined : (JSON.parse(text) as Journal)
    } catch {
      return undefined
    }
  }

  async #write(bridge: string, journal: Journal): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 })
    await writeFileAtomic(this.#pathOf(bridge), `${JSON.stringify(journal)}\n`)
  }

  #pathOf = (bridge: string): string => join(this.#options.directory, `${bridge}.json`)
}

const notReached = (link: string, gateways: readonly string[], server: boolean): Error => {
  const who = [...(server ? ['a server'] : []), ...gateways].join(', ')
  return new Error(`with the addresses of ${link} on a bridge ${who} did not answer any more, as before`)
}
