import type { AddressOwner } from './address-owners.ts'
import type { Flow } from './flow.ts'

/** One end of many connections: an entrypoint, a node, an external service, or all that is outside. */
export interface FlowGroupEnd {
  readonly kind: AddressOwner['kind']
  /** Of what is outside: empty. */
  readonly name: string
}

/** A connection with what is known about it. */
export interface JudgedFlow {
  readonly flow: Pick<Flow, 'protocol' | 'destinationPort' | 'bytes'>
  readonly from: AddressOwner
  readonly to: AddressOwner
  readonly allowed: boolean
  /** Who drops it, in a sentence; empty where nobody does. */
  readonly message: string
}

/** Connections between the same two, to the same port, about which the rules say the same. */
export interface FlowGroup {
  readonly from: FlowGroupEnd
  readonly to: FlowGroupEnd
  readonly protocol: string
  readonly port?: number
  readonly flows: number
  /** Both ways, where kernels count them. */
  readonly bytes: number
  readonly allowed: boolean
  readonly message: string
}

/** The largest first. */
export function groupFlows(flows: Iterable<JudgedFlow>): FlowGroup[] {
  const groups = new Map<string, FlowGroup>()
  for (const { flow, from, to, allowed, message } of flows) {
    const { protocol, destinationPort: port, bytes = 0 } = flow
    const ends = { from: endOf(from), to: endOf(to) }
    const key = [ends.from.kind, ends.from.name, ends.to.kind, ends.to.name, protocol, port, allowed, message].join(
      '\n',
    )
    const before = groups.get(key)
    groups.set(key, {
      ...{ ...ends, protocol, allowed, message },
      ...(port === undefined ? {} : { port }),
      flows: (before?.flows ?? 0) + 1,
      bytes: (before?.bytes ?? 0) + bytes,
    })
  }
  return [...groups.values()].sort((a, b) => b.flows - a.flows)
}

const endOf = ({ kind, name, entrypoint }: AddressOwner): FlowGroupEnd => ({
  kind,
  name: kind === 'outside' ? '' : (entrypoint ?? name),
})

/** How the kernel calls a connection of TCP that is over. */
const ended = new Set(['TIME_WAIT', 'CLOSE', 'CLOSE_WAIT', 'FIN_WAIT', 'LAST_ACK'])

/**
 * One of a node to an instance of its own that is over. Nearly all of these are probes of its health, one every few seconds, each known for
 * two minutes; a gateway's requests to instances beside it are told from them only while they last.
 */
export const isProbe = ({ state = '' }: Pick<Flow, 'state'>, from: AddressOwner, to: AddressOwner): boolean =>
  from.kind === 'node' && to.kind === 'instance' && from.node === to.node && ended.has(state)
