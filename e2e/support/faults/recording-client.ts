import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../../packages/api/src/index.ts'
import { BerthError } from '../../../packages/core/src/index.ts'
import type { ClientOperation, WatchRecord, WatchSight } from '../../../packages/lab/src/history/index.ts'
import { labelOf, registerOf, registersOf } from './store-history.ts'

export interface NamedClient {
  readonly name: string
  readonly client: Client
}

const callMs = 4_000
const pauseMs = 15

/** These say for certain that nothing was written. */
const refusals = new Set(['store.unavailable', 'record.conflict'])

const outcomeOf = (error: unknown): 'refused' | 'unknown' =>
  error instanceof BerthError && refusals.has(error.code) ? 'refused' : 'unknown'

/**
 * Somebody who writes a label of a node again and again and reads it back, at one server until that does not answer. A write of which it
 * is not known what became may yet come, after any later one: so from then on it is another label.
 */
export class RecordingClient {
  readonly operations: ClientOperation[] = []
  acknowledged = 0
  readonly #name: string
  readonly #node: string
  #lives = 1
  #value = 0

  constructor(name: string, node: string) {
    this.#name = name
    this.#node = node
  }

  async run(servers: () => readonly NamedClient[], first: number, stop: AbortSignal): Promise<void> {
    for (let turn = first; !stop.aborted; ) {
      const all = servers()
      const server = all[turn % all.length] as NamedClient
      const isWell = (await this.#write(server)) && (await this.#read(server))
      if (!isWell) turn += 1
      await delay(pauseMs)
    }
  }

  get #label(): string {
    return `${this.#name}-${this.#lives}`
  }

  async #write({ client }: NamedClient): Promise<boolean> {
    this.#value += 1
    const register = registerOf(this.#node, this.#label)
    const write = { type: 'write', client: this.#name, register, value: this.#value } as const
    try {
      const body = { labels: { [labelOf(this.#label)]: String(this.#value) } }
      await client.call('updateNode', { params: { name: this.#node }, body }, limited())
      this.operations.push({ ...write, outcome: 'acknowledged' })
      this.acknowledged += 1
      return true
    } catch (error) {
      const outcome = outcomeOf(error)
      this.operations.push({ ...write, outcome })
      if (outcome === 'unknown') this.#lives += 1
      return false
    }
  }

  async #read({ name: server, client }: NamedClient): Promise<boolean> {
    try {
      const node = await client.call('getNode', { params: { name: this.#node } }, limited())
      const register = registerOf(this.#node, this.#label)
      const value = registersOf(node).get(register)
      const read = { type: 'read', client: this.#name, server, register } as const
      this.operations.push({ ...read, ...(value === undefined ? {} : { value }) })
      return true
    } catch {
      return false
    }
  }
}

const limited = () => ({ signal: AbortSignal.timeout(callMs) })

/** Follows the nodes' labels at one server as browsers do: lists, watches, and lists again when the watch has ended. */
export async function recordWatches(
  server: () => NamedClient,
  records: WatchRecord[],
  stop: AbortSignal,
): Promise<void> {
  for (let count = 1; !stop.aborted; count += 1) {
    const { name, client } = server()
    const seen: WatchSight[] = []
    const tell = (node: Parameters<typeof registersOf>[0]): void => {
      for (const [register, value] of registersOf(node)) seen.push({ type: 'change', register, value })
    }
    try {
      const { items, revision } = await client.list(
        'listNodes',
        {},
        { signal: AbortSignal.any([stop, limited().signal]) },
      )
      for (const node of items) tell(node)
      records.push({ name: `${count} of the nodes at ${name}`, kind: 'latest', after: 0, seen })
      for await (const event of client.watch('listNodes', { revision }, { signal: stop })) {
        if (event.type === 'put') tell(event.item)
        else if (event.type === 'mark') seen.push({ type: 'mark', revision: event.revision })
      }
    } catch {
      // The server is away, or goes on from elsewhere: list again.
    }
    await delay(100)
  }
}
