import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressOwners, type OwnedInstance } from './address-owners.ts'
import { decidePacket, type Packet } from './decide-packet.ts'
import { type Flow, firstPacket, mergeFlows, parseFlow } from './flow.ts'
import { planFlows } from './flow-plan.ts'
import { arbitraryPacket, arbitraryWorld } from './policy.testing.ts'

const flowOf = ({ isReply: _, ...packet }: Packet): Flow => ({ ...packet, isAnswered: true })

describe('parseFlow', () => {
  it.each<[string, string, Flow | undefined]>([
    [
      'TCP of the proc file',
      'ipv4     2 tcp      6 431999 ESTABLISHED src=10.77.1.2 dst=10.77.2.2 sport=45678 dport=5432 src=10.77.2.2 dst=10.77.1.2 sport=5432 dport=45678 [ASSURED] mark=0 zone=0 use=2',
      {
        ...{ protocol: 'tcp', source: '10.77.1.2', sourcePort: 45_678, destination: '10.77.2.2' },
        ...{ destinationPort: 5432, state: 'ESTABLISHED', isAnswered: true },
      },
    ],
    [
      'TCP of conntrack, without an answer',
      'tcp      6 112 SYN_SENT src=10.77.1.2 dst=10.77.2.2 sport=1 dport=2 [UNREPLIED] src=10.77.2.2 dst=10.77.1.2 sport=2 dport=1 mark=0 use=1',
      {
        ...{ protocol: 'tcp', source: '10.77.1.2', sourcePort: 1, destination: '10.77.2.2', destinationPort: 2 },
        ...{ state: 'SYN_SENT', isAnswered: false },
      },
    ],
    [
      'a published port and a masqueraded sender, counted',
      'ipv4 2 tcp 6 99 TIME_WAIT src=10.77.1.2 dst=203.0.113.5 sport=4000 dport=80 packets=5 bytes=300 src=10.77.2.2 dst=192.0.2.1 sport=8080 dport=4000 packets=4 bytes=1000 [ASSURED] use=1',
      {
        ...{ protocol: 'tcp', source: '10.77.1.2', sourcePort: 4000, destination: '10.77.2.2', destinationPort: 8080 },
        ...{ state: 'TIME_WAIT', isAnswered: true, sentTo: '203.0.113.5:80', packets: 9, bytes: 1300 },
      },
    ],
    [
      'a ping',
      'ipv4 2 icmp 1 29 src=10.77.1.2 dst=10.77.2.2 type=8 code=0 id=5 src=10.77.2.2 dst=10.77.1.2 type=0 code=0 id=5 use=1',
      {
        ...{ protocol: 'icmp', source: '10.77.1.2', destination: '10.77.2.2', icmpType: 8, icmpCode: 0 },
        isAnswered: true,
      },
    ],
    [
      'IPv6, with its addresses in their one form',
      'ipv6     10 tcp      6 9 CLOSE src=2001:0db8:0000:0000:0000:0000:0000:0001 dst=fd77:0001:0000:0000:0000:0000:0a4d:0102 sport=1 dport=2 src=fd77:0001:0000:0000:0000:0000:0a4d:0103 dst=2001:0db8:0000:0000:0000:0000:0000:0001 sport=3 dport=1',
      {
        ...{ protocol: 'tcp', source: '2001:db8::1', sourcePort: 1, destination: 'fd77:1::a4d:103' },
        ...{ destinationPort: 3, state: 'CLOSE', isAnswered: true, sentTo: '[fd77:1::a4d:102]:2' },
      },
    ],
    [
      'a ping of IPv6, by conntrack',
      'icmpv6   58 29 src=2001:db8::1 dst=fd77:1::a4d:102 type=128 code=0 id=5 src=fd77:1::a4d:102 dst=2001:db8::1 type=129 code=0 id=5 mark=0 use=1',
      {
        ...{ protocol: 'icmpv6', source: '2001:db8::1', destination: 'fd77:1::a4d:102', icmpType: 128, icmpCode: 0 },
        isAnswered: true,
      },
    ],
    ['what is none', 'conntrack v1.4.7 (conntrack-tools): 5 flow entries have been shown.', undefined],
    ['nothing', '', undefined],
  ])('%s', (_, line, flow) => expect(parseFlow(line)).toEqual(flow))

  it('never throws, whatever the line', () => {
    fc.assert(fc.property(fc.string(), (line) => void parseFlow(line)))
  })
})

it('merges what both ends tell', () => {
  fc.assert(
    fc.property(fc.array(arbitraryPacket()), (packets) => {
      const flows = packets.map(flowOf)
      const unanswered = flows.map((flow) => ({ ...flow, isAnswered: false }))
      const once = mergeFlows(flows)
      expect(mergeFlows([...unanswered, ...flows, ...unanswered])).toEqual(once)
      expect(new Set(once.map((flow) => JSON.stringify(firstPacket(flow)))).size).toBe(once.length)
    }),
  )
})

describe('planFlows', () => {
  it('cuts what was allowed and is not, by the simulator', () => {
    fc.assert(
      fc.property(arbitraryWorld, arbitraryWorld, fc.array(arbitraryPacket()), (before, after, packets) => {
        const { cut, opened } = planFlows(packets.map(flowOf), before, after)
        const allowed = (packet: Packet, world: typeof before): boolean => decidePacket(packet, world).allowed
        const wanted = packets.filter((packet) => allowed(packet, before) && !allowed(packet, after))
        expect(cut.map(({ flow }) => firstPacket(flow))).toEqual(wanted)
        for (const { decision } of cut) expect(decision.allowed).toBe(false)
        const back = planFlows(packets.map(flowOf), after, before)
        expect(back.cut.map(({ flow }) => flow)).toEqual(opened.map(({ flow }) => flow))
        expect(planFlows(packets.map(flowOf), after, after)).toEqual({ cut: [], opened: [] })
      }),
    )
  })
})

describe('addressOwners', () => {
  const instance = fc.record({
    id: fc.constantFrom('a-1', 'a-2', 'b-1'),
    app: fc.constant('shop'),
    pool: fc.constant('production'),
    entrypoint: fc.constantFrom('a', 'b'),
    address: fc.constantFrom('10.77.1.2', '10.77.1.3', undefined),
    node: fc.constant('n1'),
    desired: fc.constantFrom('run', 'drain', 'stop'),
    createdAt: fc.nat({ max: 3 }),
  }) as fc.Arbitrary<OwnedInstance>
  const nodes = new Map([['10.77.1.1', { name: 'n1', isGateway: false }]])

  it('names whoever is to run there, else who came last', () => {
    fc.assert(
      fc.property(fc.array(instance), (instances) => {
        const owners = addressOwners(instances, nodes, new Map([['192.0.2.5', 'mysql']]))
        for (const address of ['10.77.1.2', '10.77.1.3']) {
          const all = instances.filter((each) => each.address === address)
          const found = owners(address)
          if (all.length === 0) expect(found).toEqual({ kind: 'outside', name: address, address })
          const stays = all.filter(({ desired }) => desired !== 'stop')
          const best = Math.max(...(stays.length > 0 ? stays : all).map(({ createdAt }) => createdAt))
          const names = (stays.length > 0 ? stays : all).filter((each) => each.createdAt === best).map(({ id }) => id)
          if (all.length > 0) expect(names).toContain(found.name)
        }
        expect(owners('192.0.2.5')).toEqual({ kind: 'external', name: 'mysql', address: '192.0.2.5' })
        expect(owners('10.77.1.1')).toEqual({ kind: 'node', name: 'n1', address: '10.77.1.1', node: 'n1' })
      }),
    )
  })
})
