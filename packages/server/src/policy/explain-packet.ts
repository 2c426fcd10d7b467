import type { PacketExplanation } from '@berth/api'
import {
  BerthError,
  canonicalAddress,
  decidePacket,
  type ExternalPort,
  type ExternalService,
  familyOf,
  type Instance,
  lanOf,
  type Packet,
  type PolicyEndpoint,
  twinned,
  twinOf,
  usualSourcePort,
} from '@berth/core'
import { twinRangesOf } from '../addresses/twin-pools.ts'
import { reachedAddress, withReachedAddress } from '../lans/lan-nodes.ts'
import type { State } from '../records/index.ts'
import { decisionView } from './decision-view.ts'
import { instanceCalled } from './instance-called.ts'
import { externalTags, policyNodes, worldTwins } from './net-world.ts'
import { allProfiles, byHandEnds, profilesOfInstance } from './profile-of.ts'

export interface PacketQuestion {
  readonly from: string
  readonly to: string
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | undefined
  readonly family?: 4 | 6 | undefined
  readonly port?: number | undefined
  readonly sourcePort?: number | undefined
}

/** Asks the simulator. Throws `net.no-instance`, `net.unknown-end`, `net.no-port`. */
export function explainPacket(state: State, question: PacketQuestion): PacketExplanation {
  const { family } = question
  const [from, to] = ofOneFamily(
    state,
    findEnd(state, question.from, family),
    findEnd(state, question.to, family),
    family,
  )
  const packet = packetOf(state, question, from, to)
  const ends = [from, to].filter(({ isContainer }) => isContainer === true)
  const { outbound, inbound } = decidePacket(packet, {
    profiles: new Map(allProfiles(state).map((profile) => [profile.name, profile])),
    endpoints: new Map(
      ends.map(({ booked, node = '', profiles }): [string, PolicyEndpoint] => [booked, { node, profiles }]),
    ),
    externals: externalTags(state),
    nodes: policyNodes(state),
    ...worldTwins(state),
  })
  const known = (name: string): boolean => state.profiles.has(name)
  const views = {
    outbound: decisionView(outbound, from, 'out', known),
    inbound: decisionView(inbound, to, 'in', known),
  }
  return {
    allowed: views.outbound.allowed && views.inbound.allowed,
    ...{ from: viewOf(from), to: viewOf(to), protocol: packet.protocol },
    ...(packet.destinationPort === undefined ? {} : { port: packet.destinationPort }),
    ...views,
  }
}

interface End {
  readonly name: string
  readonly address: string
  /** Of IPv4, where the address is a twin. */
  readonly booked: string
  readonly instance?: Instance
  readonly isContainer?: boolean
  readonly node?: string
  readonly profiles: readonly string[]
  /** Why these are not in force, and nothing passes. */
  readonly closed?: string
  /** Of an external service. */
  readonly ports?: readonly ExternalPort[]
}

const viewOf = ({ name, address, node, profiles }: End) => ({
  ...{ name, address, profiles: [...profiles] },
  ...(node === undefined ? {} : { node }),
})

function findEnd(state: State, text: string, family: 4 | 6 = 4): End {
  const asked = canonicalAddress(text)
  if (asked !== undefined) return endAt(state, asked)
  const external = state.externals.get(text)
  if (external !== undefined) return externalEnd(external, family)
  const instance = instanceCalled(state, text) ?? firstOf(state, text)
  const { id, address, network, node } = withReachedAddress(state, instance)
  if (address === undefined || node === undefined)
    throw new BerthError(
      'net.no-instance',
      `${text} has no address yet: ${node === undefined ? 'no node has been found for it' : 'Docker gives it one as it starts'}`,
    )
  if (network !== undefined) return { name: id, address, booked: address, instance, node, profiles: [] }
  return {
    name: id,
    address,
    booked: address,
    instance,
    isContainer: true,
    node,
    profiles: profilesOfInstance(state, instance),
  }
}

/** The first of its addresses stands for all: they bear the same tags. */
function externalEnd({ name, addresses, target, ports }: ExternalService, family: 4 | 6): End {
  const address = addresses.find((each) => familyOf(each) === family) ?? addresses[0]
  if (address !== undefined) return { name, address, booked: address, profiles: [], ports }
  throw new BerthError('net.no-instance', `${name} has no address of its own: it is whatever ${target} is`)
}

/** Whoever has it; nobody is an answer too. */
function endAt(state: State, address: string): End {
  const booked = twinned(twinRangesOf(state), address) ?? address
  const instance = [...state.instances.values()].find(
    (each) =>
      (each.network === undefined || lanOf(each.network) !== undefined) && reachedAddress(state, each) === booked,
  )
  const node = policyNodes(state).get(booked)
  if (instance !== undefined) return { ...findEnd(state, instance.id), address }
  if (node !== undefined) return { name: address, address, booked, node: node.name, profiles: [] }
  return { name: address, address, booked, profiles: [], ...byHandAt(state, booked) }
}

/** No packet goes from an address of one version to one of the other: where one end is of IPv6, the other is its twin. */
function ofOneFamily(state: State, from: End, to: End, wanted: 4 | 6 | undefined): readonly [End, End] {
  if (familyOf(from.address) === (wanted ?? familyOf(to.address)) && familyOf(from.address) === familyOf(to.address))
    return [from, to]
  if (wanted === 4)
    throw new BerthError(
      'net.no-instance',
      `${[from, to].find((end) => familyOf(end.address) === 6)?.name} has no address of IPv4`,
    )
  const twins = twinRangesOf(state)
  const twin = (end: End): End => {
    if (familyOf(end.address) === 6) return end
    const address = twinOf(twins, end.address)
    if (address !== undefined) return { ...end, address }
    const why = wanted === 6 ? '' : ', and the other end has no other one'
    throw new BerthError('net.no-instance', `${end.name} has no address of IPv6${why}`)
  }
  return [twin(from), twin(to)]
}

/** An address that containers have which somebody starts by hand on a routed node. */
function byHandAt(
  state: State,
  address: string,
): Pick<End, 'isContainer' | 'node' | 'profiles' | 'closed'> | undefined {
  for (const node of state.nodes.values()) {
    const found = byHandEnds(state, node, (name) => state.profiles.has(name)).get(address)
    if (found === undefined) continue
    const { profiles, closed } = found
    return { isContainer: true, node: node.name, profiles, ...(closed === undefined ? {} : { closed }) }
  }
  return undefined
}

/** Of an entrypoint's instances one that is to run. */
function firstOf(state: State, text: string): Instance {
  const parts = text.split('/')
  const [app = '', second = '', third] = parts
  if (text === 'outside')
    throw new BerthError('net.unknown-end', 'outside is not one address: name one of it, such as 198.51.100.1')
  if (parts.length < 2 || parts.length > 3 || !state.apps.has(app))
    throw new BerthError(
      'net.unknown-end',
      `${text} is nothing that sends or is sent to here: name an instance, APP/ENTRYPOINT, APP/POOL/ENTRYPOINT, an external service or an address`,
    )
  const entrypoint = third ?? second
  const found = state.instances
    .byApp(app)
    .filter((each) => each.entrypoint === entrypoint && (third === undefined || each.pool === second))
    .sort((a, b) => rank(a) - rank(b) || a.ordinal - b.ordinal)[0]
  if (found !== undefined) return found
  throw new BerthError('net.no-instance', `there is no instance of ${text}; see: berth ps ${app}`)
}

const rank = ({ address, desired }: Instance): number => (address === undefined ? 2 : Number(desired !== 'run'))

function packetOf(state: State, question: PacketQuestion, from: End, to: End): Packet {
  const { protocol = 'tcp' } = question
  const ends = { source: from.address, destination: to.address, protocol }
  if (protocol === 'icmp' && familyOf(from.address) === 6)
    return { ...ends, protocol: 'icmpv6', icmpType: 128, icmpCode: 0 }
  if (protocol === 'icmp') return { ...ends, icmpType: 8, icmpCode: 0 }
  const destinationPort = question.port ?? declaredPort(state, to, protocol)
  if (destinationPort !== undefined)
    return { ...ends, destinationPort, sourcePort: question.sourcePort ?? usualSourcePort }
  throw new BerthError(
    'net.no-port',
    `${to.name} declares no ${protocol} port: say which one is meant, such as ${question.to}:8080`,
  )
}

function declaredPort(state: State, { instance, ports = [] }: End, protocol: 'tcp' | 'udp'): number | undefined {
  if (instance === undefined) return ports.find((each) => each.protocol === protocol)?.port
  const spec = state.releases.find(instance.app, instance.release)?.spec.entrypoints[instance.entrypoint]
  return spec?.ports.find((each) => each.protocol === protocol)?.port
}
