import {
  BerthError,
  describeHostPort,
  isReachedByLoopback,
  messageOf,
  type PublishedPort,
  portsClash,
} from '@berth/core'
import type { Logger } from 'pino'
import type { EndpointRecord, EndpointRecords } from '../plugin/endpoint-records.ts'
import { notOffered } from '../plugin/plugin-call.ts'
import type { PortBinding } from './port-bindings.ts'
import type { PortHolder } from './port-holder.ts'
import type { PortKernel } from './port-kernel.ts'

/** What others than Docker want to be published, and where from containers see the node. */
export interface OtherPorts {
  readonly ports: readonly PublishedPort[]
  readonly source: string | undefined
  readonly source6?: string | undefined
}

export interface PortPublisherParts {
  readonly records: EndpointRecords
  readonly holder: PortHolder
  readonly kernel: PortKernel
  readonly log: Logger
  readonly others: () => Promise<OtherPorts>
}

/**
 * Ports of this node that lead to its containers. What is published stands in the records of endpoints: the rules are made of these, so
 * they outlive this process, and a successor finds them.
 */
export class PortPublisher {
  readonly #parts: PortPublisherParts
  #tail: Promise<unknown> = Promise.resolve()
  #reported = ''

  constructor(parts: PortPublisherParts) {
    this.#parts = parts
  }

  /** The same once more is no mistake. Throws `plugin.port-in-use`, `plugin.unknown-endpoint`, `network.command-failed`. */
  publish(id: string, bindings: readonly PortBinding[]): Promise<void> {
    return this.#inTurn(async () => {
      const record = await this.#parts.records.get(id)
      if (bindings.length === 0 || portsOf(record).length > 0) return
      const ports = await this.#choose(record, bindings)
      try {
        await this.#parts.records.put({ ...record, ports })
        await this.#apply()
      } catch (error) {
        await this.#parts.records.put(record)
        await this.#apply().catch(() => undefined)
        throw error
      }
    })
  }

  withdraw(id: string): Promise<void> {
    return this.#inTurn(async () => {
      const record = await this.#parts.records.find(id)
      if (record === undefined || portsOf(record).length === 0) return
      const { ports: _, ...rest } = record
      await this.#parts.records.put(rest)
      await this.#parts.kernel.openToLoopback(record.link, false)
      await this.#apply()
    })
  }

  /** Makes what differs from the records as they say. Never throws: it is tried again. */
  keep(): Promise<void> {
    return this.#inTurn(async () => {
      const problem = await this.#apply().then((lost) => lost.join('; '), messageOf)
      if (problem !== '' && problem !== this.#reported)
        this.#parts.log.error({ problem }, 'published ports have problems')
      this.#reported = problem
    })
  }

  /** Gives what went wrong with keeping ports from others. */
  async #apply(): Promise<string[]> {
    const { records, kernel, holder } = this.#parts
    const published = (await records.list()).filter((each) => portsOf(each).length > 0)
    const { ports: more, source, source6 } = await this.#parts.others()
    const ports = [...published.flatMap(portsOf), ...more]
    if (ports.length > 0 && source === undefined) return []
    await kernel.keep(ports, source ?? '', source6)
    // After the rules, which keep containers from loopback.
    for (const record of published)
      if (portsOf(record).some(isReachedByLoopback)) await kernel.openToLoopback(record.link, true)
    await holder.releaseOthers(ports)
    const lost: string[] = []
    for (const port of ports) await holder.hold(port).catch((error: unknown) => lost.push(messageOf(error)))
    return lost
  }

  async #choose(record: EndpointRecord, bindings: readonly PortBinding[]): Promise<PublishedPort[]> {
    const chosen: PublishedPort[] = []
    const { records, holder, others } = this.#parts
    const taken = [...(await records.list()).flatMap(portsOf), ...(await others()).ports]
    try {
      for (const binding of bindings) chosen.push(await this.#chooseOne(record, binding, [...taken, ...chosen]))
    } catch (error) {
      for (const port of chosen) await holder.release(port)
      throw error
    }
    return chosen
  }

  /** The first of those that will do, and that nobody has. */
  async #chooseOne(
    record: EndpointRecord,
    { hostPorts, ...binding }: PortBinding,
    taken: readonly PublishedPort[],
  ): Promise<PublishedPort> {
    const { address6 } = record
    const target = { address: record.addresses[0] ?? '', ...(address6 === undefined ? {} : { address6 }) }
    if (binding.hostAddress?.includes(':') === true && address6 === undefined)
      throw notOffered(`publishing a port at ${binding.hostAddress} (the container has no IPv6)`)
    let refused: unknown
    for (let hostPort = hostPorts.first; hostPort <= hostPorts.last; hostPort += 1) {
      const wanted = { ...binding, hostPort, ...target }
      const other = hostPort === 0 ? undefined : taken.find((each) => portsClash(each, wanted))
      if (other !== undefined) {
        refused = inUse(wanted, other)
        continue
      }
      try {
        return { ...wanted, hostPort: await this.#parts.holder.hold(wanted) }
      } catch (error) {
        refused = error
      }
    }
    throw refused
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => undefined)
    return turn
  }
}

const portsOf = ({ ports }: EndpointRecord): readonly PublishedPort[] => ports ?? []

const inUse = (wanted: PublishedPort, other: PublishedPort): BerthError =>
  new BerthError(
    'plugin.port-in-use',
    `publish port ${describeHostPort(wanted)}: port is already allocated, it leads to ${other.address}:${other.port} (docker network inspect berth says whose address that is)`,
  )
