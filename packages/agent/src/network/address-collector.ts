import {
  type AddressRelease,
  type AddressReport,
  BerthError,
  type ContainerAddress,
  type LeftOver,
  messageOf,
  type NetworkDriver,
  routedLinkOf,
} from '@berth/core'
import type { Logger } from 'pino'
import type { DockerMembers, NetworkMembers } from './docker-members.ts'
import { readUnusedVeths } from './host-state.ts'
import { bridgeName } from './network-plan.ts'
import type { Endpoints } from './plugin/endpoints.ts'
import { type Exec, mustRun } from './run-command.ts'

export interface AddressCollectorParts {
  readonly members: Pick<DockerMembers, 'read' | 'drop'>
  readonly exec: Exec
  /** What netd holds for containers; looked at only, since netd itself takes it away. */
  readonly endpoints: Pick<Endpoints, 'leftBehind' | 'isLinked'>
  readonly driver: () => NetworkDriver
  readonly log: Logger
  readonly now?: () => number
}

type Signal = AbortSignal | undefined

interface Options {
  readonly signal?: Signal
}

/** A container that starts or ends is without one of its parts for a moment, and Docker may be slow. */
const sureAfterMs = 30_000

const keyOf = ({ kind, name }: LeftOver): string => `${kind} ${name}`

/**
 * What this node really has of its addresses, and what is held for containers that there are not: after a death of dockerd or of the host.
 * Such things are taken away when they have been seen for long enough; what runs has a container, and so is none of them.
 */
export class AddressCollector {
  readonly #parts: AddressCollectorParts
  readonly #now: () => number
  /** Since when each has been seen at every look. */
  #seen = new Map<string, number>()

  constructor(parts: AddressCollectorParts) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
  }

  async report({ signal }: Options = {}): Promise<AddressReport> {
    const { driver } = this.#parts
    const members = await this.#parts.members.read(signal).catch((error: unknown) => unknownMembers(error, signal))
    const { containers, endpoints } = members
    const problem = 'problem' in members ? members.problem : undefined
    const left = [...endpoints, ...(await this.#leftLinks(signal))]
    this.#note(left, problem !== undefined)
    return {
      ...{ driver: driver(), containers, left, unlinked: await this.#unlinked(containers) },
      ...(problem === undefined ? {} : { engineProblem: problem }),
    }
  }

  /** Takes away what has been left over for long enough. Does nothing while Docker is silent: then nobody knows what is in use. */
  async release({ signal }: Options = {}): Promise<AddressRelease> {
    const { engineProblem, left } = await this.report({ signal })
    const released: LeftOver[] = []
    const later: LeftOver[] = []
    for (const each of left) {
      const isSure = engineProblem === undefined && this.#isSure(each)
      if (isSure && (await this.#take(each, signal))) released.push(each)
      else later.push(each)
    }
    if (released.length > 0) this.#parts.log.info({ released }, 'took away what no container has any more')
    return { released, later }
  }

  #note(left: readonly LeftOver[], isPartial: boolean): void {
    const before = this.#seen
    this.#seen = new Map(left.map((each) => [keyOf(each), before.get(keyOf(each)) ?? this.#now()]))
    // What Docker did not say may be there as before, or not: it begins anew.
    if (isPartial) for (const [key] of this.#seen) if (key.startsWith('veth ')) this.#seen.delete(key)
  }

  #isSure(each: LeftOver): boolean {
    const since = this.#seen.get(keyOf(each))
    return each.kind !== 'link' && since !== undefined && this.#now() - since >= sureAfterMs
  }

  /** Looks once more: what it was may have gone, and its name be another's. */
  async #take({ kind, name }: LeftOver, signal: Signal): Promise<boolean> {
    const { members, exec } = this.#parts
    if (kind === 'endpoint') return await members.drop(name, signal)
    if (kind !== 'veth' || !(await readUnusedVeths(exec, bridgeName, signal)).includes(name)) return false
    await mustRun(exec, 'ip', ['link', 'delete', name], { signal })
    return true
  }

  async #leftLinks(signal: Signal): Promise<LeftOver[]> {
    const { exec, endpoints } = this.#parts
    const addresses = await endpoints.leftBehind()
    const veths = await readUnusedVeths(exec, bridgeName, signal)
    return [
      ...addresses.map((address): LeftOver => ({ kind: 'link', name: routedLinkOf(address), address })),
      ...veths.map((name): LeftOver => ({ kind: 'veth', name })),
    ]
  }

  async #unlinked(containers: readonly ContainerAddress[]): Promise<string[]> {
    const { driver, endpoints } = this.#parts
    if (driver() !== 'routed') return []
    const addresses = containers.flatMap(({ isRunning, address }) => (isRunning ? (address ?? []) : []))
    const linked = await Promise.all(addresses.map((address) => endpoints.isLinked(address)))
    return addresses.filter((_, index) => !linked[index])
  }
}

function unknownMembers(error: unknown, signal: Signal): NetworkMembers & { readonly problem: string } {
  if (signal?.aborted || !(error instanceof BerthError)) throw error
  return { containers: [], endpoints: [], problem: messageOf(error) }
}
