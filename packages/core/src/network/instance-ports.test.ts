import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  eachPort,
  isLoopback,
  type PublishedTarget,
  parsePublished,
  portsText,
  portText,
  renderPublishing,
} from './instance-ports.ts'
import { listeningPorts } from './listening-ports.ts'

describe('a port to publish', () => {
  it.each([
    ['8080:80', { hostPort: 8080, port: 80, protocol: 'tcp' }],
    ['8080', { hostPort: 8080, port: 8080, protocol: 'tcp' }],
    ['5353:53/udp', { hostPort: 5353, port: 53, protocol: 'udp' }],
    ['8000-8010:9000-9010', { hostPort: 8000, port: 9000, protocol: 'tcp', count: 11 }],
    ['8000-8001/udp', { hostPort: 8000, port: 8000, protocol: 'udp', count: 2 }],
    ['127.0.0.1:8080:80', { hostAddress: '127.0.0.1', hostPort: 8080, port: 80, protocol: 'tcp' }],
    ['192.0.2.7:8000-8001', { hostAddress: '192.0.2.7', hostPort: 8000, port: 8000, protocol: 'tcp', count: 2 }],
  ])('%s is read', (text, value) => expect(parsePublished(text)).toEqual({ ok: true, value }))

  const refused = [
    ...['', '80:', '0.0.0.0:80:80', '8080:80/sctp', '80-90:80', '8080:web', '99999', '0:80', '80:0', '1;drop:2'],
    ...['90-80', '80-81:80-82', '1-33', '65535-65536', '169.254.77.53:53', '192.0.2.300:80', '192.0.2:80', '::1:80:80'],
  ]
  it.each(refused)('%j is refused', (text) => expect(parsePublished(text).ok).toBe(false))

  it('is one of several that follow each other', () => {
    const ports = { hostAddress: '127.0.0.1', hostPort: 8000, port: 9000, protocol: 'tcp' as const, count: 3 }
    expect(eachPort(ports).map(({ hostPort, port }) => [hostPort, port])).toEqual([
      [8000, 9000],
      [8001, 9001],
      [8002, 9002],
    ])
    expect(eachPort(ports).every((each) => each.hostAddress === '127.0.0.1' && !('count' in each))).toBe(true)
    expect([portsText(ports), portsText({ hostPort: 80, protocol: 'udp' })]).toEqual([
      '8000-8002/tcp at 127.0.0.1',
      '80/udp',
    ])
  })
})

const target = fc
  .record({
    hostPort: fc.integer({ min: 1, max: 65_535 }),
    port: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    address: fc.integer({ min: 2, max: 254 }).map((last) => `10.77.1.${last}`),
    hostAddress: fc.constantFrom(undefined, '127.0.0.1', '192.0.2.7'),
    hasIpv6: fc.boolean(),
  })
  .map(({ hostAddress, hasIpv6, ...rest }) => ({
    ...rest,
    ...(hostAddress === undefined ? {} : { hostAddress }),
    ...(hasIpv6 ? { address6: rest.address.replace('10.77.1.', 'fd77::') } : {}),
  }))
const targets: fc.Arbitrary<PublishedTarget[]> = fc.uniqueArray(target, { selector: portText, maxLength: 20 })

describe('the rules of published ports', () => {
  it('are the same text in whatever order, two for each port (one at loopback addresses), and nothing where nothing is published', () => {
    fc.assert(
      fc.property(targets, (all) => {
        const blocks = ['10.77.1.0/24', 'fd77::/120']
        const text = renderPublishing(all, blocks)
        expect(renderPublishing([...all].reverse(), blocks)).toBe(text)
        for (const each of all) {
          const { hostPort, port, protocol, address, hostAddress } = each
          const rule = `${protocol} dport ${hostPort} dnat ip to ${address}:${port}\n`
          expect(text.split(rule)).toHaveLength(isLoopback(each) ? 2 : 3)
          if (hostAddress !== undefined) expect(text).toContain(`type local ip daddr ${hostAddress} ${rule}`)
        }
        const six = all.filter(({ address6, hostAddress }) => address6 !== undefined && hostAddress === undefined)
        expect(text.split(' dnat ip6 to ')).toHaveLength(six.length * 2 + 1)
        for (const { hostPort, port, address6 } of six)
          expect(text).toContain(`dport ${hostPort} dnat ip6 to [${address6}]:${port}`)
        const local = all.filter(isLoopback).length
        expect(text.split(' dnat ip to ')).toHaveLength(all.length * 2 - local + 1)
        // What nobody asked for is not opened.
        expect(text.includes('no-loopback')).toBe(local > 0)
        expect(text.startsWith('table inet berth_publish\ndelete table inet berth_publish\n')).toBe(true)
        expect(text.includes('chain')).toBe(all.length > 0)
      }),
    )
  })
})

describe('ports at which programs listen', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
  const row = (local: string, remote: string, state: string): string =>
    `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n`

  it('are those of the kernel’s table that others reach', () => {
    const rows = [
      row('00000000:0016', '00000000:0000', '0A'),
      row('0B02D50A:01BB', '00000000:0000', '0A'),
      row('0100007F:1F90', '00000000:0000', '0A'),
      row('354DFEA9:0035', '00000000:0000', '0A'),
      row('0B02D50A:C350', '0C02D50A:0050', '01'),
      row('00000000000000000000000000000000:0050', '00000000000000000000000000000000:0000', '0A'),
      row('00000000000000000000000001000000:0051', '00000000000000000000000000000000:0000', '0A'),
    ]
    expect([...listeningPorts(header + rows.join(''), 'tcp')]).toEqual([22, 443, 80])
    expect([...listeningPorts(header + rows.join(''), 'tcp', 'loopback')]).toEqual([22, 8080, 80])
  })

  it('are of udp those that are connected to nobody', () => {
    const rows = [
      row('00000000:14E9', '00000000:0000', '07'),
      row('0B02D50A:9C40', '0C02D50A:0035', '01'),
      row('354DFEA9:0035', '00000000:0000', '07'),
    ]
    expect([...listeningPorts(header + rows.join(''), 'udp')]).toEqual([0x14e9])
    expect(listeningPorts('', 'udp').size).toBe(0)
  })
})
