import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PublishedTarget, parsePublished, portText, renderPublishing } from './instance-ports.ts'
import { listeningPorts } from './listening-ports.ts'

describe('a port to publish', () => {
  it.each([
    ['8080:80', { hostPort: 8080, port: 80, protocol: 'tcp' }],
    ['8080', { hostPort: 8080, port: 8080, protocol: 'tcp' }],
    ['5353:53/udp', { hostPort: 5353, port: 53, protocol: 'udp' }],
  ])('%s is read', (text, value) => expect(parsePublished(text)).toEqual({ ok: true, value }))

  it.each(['', '80:', '0.0.0.0:80:80', '8080:80/sctp', '80-90:80', '8080:web', '99999', '0:80', '80:0', '1;drop:2'])(
    '%j is refused',
    (text) => expect(parsePublished(text).ok).toBe(false),
  )
})

const target = fc.record({
  hostPort: fc.integer({ min: 1, max: 65_535 }),
  port: fc.integer({ min: 1, max: 65_535 }),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  address: fc.integer({ min: 2, max: 254 }).map((last) => `10.77.1.${last}`),
})
const targets: fc.Arbitrary<PublishedTarget[]> = fc.uniqueArray(target, { selector: portText, maxLength: 20 })

describe('the rules of published ports', () => {
  it('are the same text in whatever order, two for each port, and nothing where nothing is published', () => {
    fc.assert(
      fc.property(targets, (all) => {
        const text = renderPublishing(all, ['10.77.1.0/24'])
        expect(renderPublishing([...all].reverse(), ['10.77.1.0/24'])).toBe(text)
        for (const { hostPort, port, protocol, address } of all)
          expect(text.split(`${protocol} dport ${hostPort} dnat ip to ${address}:${port}\n`)).toHaveLength(3)
        expect(text.split(' dnat ip to ')).toHaveLength(all.length * 2 + 1)
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
