import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  describeHostPort,
  isReachedByLoopback,
  type PublishedPort,
  portsClash,
  renderPublishedPorts,
} from './published-port.ts'

const hostAddresses = ['127.0.0.1', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2'] as const

const anyPort: fc.Arbitrary<PublishedPort> = fc
  .record(
    {
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      hostAddress: fc.constantFrom(...hostAddresses),
      hostPort: fc.integer({ min: 80, max: 83 }),
      address: fc.constantFrom('10.77.3.11', '10.77.3.12'),
      port: fc.constantFrom(80, 8080),
    },
    { requiredKeys: ['protocol', 'hostPort', 'address', 'port'] },
  )
  .map((port) => ({ ...port, address6: port.address.replace('10.77.3.', 'fd77::') }))

const anyPacket = fc.record({
  protocol: fc.constantFrom('tcp', 'udp'),
  to: fc.constantFrom(...hostAddresses),
  port: fc.integer({ min: 80, max: 83 }),
})

/** What the rules of the chain `published` say of a packet. */
function destinations(table: string, { protocol, to, port }: { protocol: string; to: string; port: number }): string[] {
  return table.split('\n').flatMap((line) => {
    const rule = /^ {4}(?:ip6? daddr (\S+) )?(tcp|udp) dport (\d+) dnat (ip6?) to (\S+)$/.exec(line)
    const [, at, which, number, family, destination = ''] = rule ?? []
    const isSame = which === protocol && number === String(port) && (family === 'ip6') === to.includes(':')
    return rule !== null && isSame && (at ?? to) === to ? [destination] : []
  })
}

describe('published ports', () => {
  it('clash exactly when there is a packet that both would get', () => {
    fc.assert(
      fc.property(anyPort, anyPort, (a, b) => {
        const packets = hostAddresses.map((to) => ({ protocol: a.protocol, to, port: a.hostPort }))
        const both = packets.some(
          (packet) => destinations(renderPublishedPorts([a, b], '10.77.3.1', 'fd77::1'), packet).length > 1,
        )
        const same = JSON.stringify(a) === JSON.stringify(b)
        expect(portsClash(a, b)).toBe(both || same)
        expect(portsClash(b, a)).toBe(portsClash(a, b))
      }),
    )
  })

  it('that do not clash lead every packet to one container at most, in whatever order they came', () => {
    fc.assert(
      fc.property(fc.array(anyPort, { maxLength: 8 }), anyPacket, (asked, packet) => {
        const ports: PublishedPort[] = []
        for (const port of asked) if (!ports.some((each) => portsClash(each, port))) ports.push(port)
        const table = renderPublishedPorts(ports, '10.77.3.1', 'fd77::1')
        expect(destinations(table, packet).length).toBeLessThanOrEqual(1)
        expect(renderPublishedPorts(ports.toReversed(), '10.77.3.1', 'fd77::1')).toBe(table)
      }),
    )
  })

  it('of containers without IPv6 have no rule of it, and are called by their node’s address in brackets where that is of IPv6', () => {
    const port: PublishedPort = { protocol: 'tcp', hostPort: 80, address: '10.77.3.11', port: 8080 }
    const text = renderPublishedPorts([port], '10.77.3.1')
    expect(text).not.toContain('ip6')
    expect(renderPublishedPorts([port], '10.77.3.1', 'fd77::1')).toBe(text)
    expect(describeHostPort({ ...port, hostAddress: '2001:db8::1' })).toBe('[2001:db8::1]:80/tcp')
  })

  it('that are none have no table', () => {
    expect(renderPublishedPorts([], '')).toBe('add table inet berth-ports\ndelete table inet berth-ports\n')
  })

  it('at an address are reached by loopback only where that is one of its addresses', () => {
    expect([{}, { hostAddress: '127.0.0.2' }, { hostAddress: '192.0.2.1' }].map(isReachedByLoopback)).toEqual([
      true,
      true,
      false,
    ])
  })
})
