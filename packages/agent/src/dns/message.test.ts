import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeRefusal, type Query, questionKey, readName, readQuery } from './message.ts'

const encode = (packet: dnsPacket.Packet): Buffer => dnsPacket.encode({ type: 'query', id: 77, ...packet })
const ask = (name: string, type: dnsPacket.RecordType = 'A'): Buffer => encode({ questions: [{ name, type }] })

function read(packet: Buffer): Query {
  const result = readQuery(packet)
  if (result.kind !== 'query') throw new Error(`read as ${result.kind}`)
  return result.query
}

describe('readQuery', () => {
  it('finds the question', () => {
    const packet = encode({ flags: dnsPacket.RECURSION_DESIRED, questions: [{ name: 'Web.Shop.berth', type: 'SRV' }] })
    expect(read(packet)).toMatchObject({ type: 33, class: 1, flags: 0x0100, hasEdns: false, udpBytes: 512 })
    expect(read(packet).questionEnd).toBe(packet.length)
    expect(readName(packet)).toBe('web.shop.berth')
  })

  it.each([
    [100, 512],
    [1000, 1000],
    [4096, 1232],
  ])('an asker that takes %i bytes gets at most %i', (udpPayloadSize, udpBytes) => {
    const opt = { type: 'OPT', name: '.', udpPayloadSize, flags: dnsPacket.DNSSEC_OK, options: [] }
    const packet = encode({ questions: [{ name: 'a.berth', type: 'A' }], additionals: [opt as never] })
    expect(read(packet)).toMatchObject({ hasEdns: true, dnssecOk: true, udpBytes })
  })

  it.each<[string, Buffer, string]>([
    ['an answer', dnsPacket.encode({ type: 'response', questions: [{ name: 'a', type: 'A' }] }), 'malformed'],
    ['nothing', Buffer.alloc(0), 'malformed'],
    ['half a header', Buffer.alloc(11), 'malformed'],
    ['a cut question', ask('web.shop.berth').subarray(0, -3), 'malformed'],
    ['a name that points', Buffer.concat([ask('a').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]), 'malformed'],
    ['a name without end', Buffer.concat([ask('a').subarray(0, 12), Buffer.alloc(300, 1)]), 'malformed'],
    ['no question', encode({}), 'rejected'],
    [
      'two questions',
      encode({
        questions: [
          { name: 'a', type: 'A' },
          { name: 'b', type: 'A' },
        ],
      }),
      'rejected',
    ],
    ['a notification', encode({ flags: 4 << 11, questions: [{ name: 'a', type: 'A' }] }), 'rejected'],
  ])('%s is read as %s', (_, packet, kind) => expect(readQuery(packet).kind).toBe(kind))

  it('refuses a record that runs out of the message', () => {
    const packet = Buffer.concat([ask('a.berth'), Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 9])])
    packet.writeUInt16BE(1, 10)
    expect(readQuery(packet).kind).toBe('malformed')
  })

  it('never throws, whatever comes', () => {
    const header = fc.constantFrom(
      ask('a.berth').subarray(0, 12),
      Buffer.from('00010100000100000000ffff', 'hex'),
      Buffer.alloc(0),
    )
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 80 }), (start, rest) => {
        expect(['query', 'rejected', 'malformed']).toContain(readQuery(Buffer.concat([start, rest])).kind)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('questionKey', () => {
  const key = (packet: Buffer) => questionKey(read(packet))

  it('is the same for every spelling, and differs by name and type', () => {
    expect(key(ask('WEB.Shop.BERTH'))).toBe(key(ask('web.shop.berth')))
    expect(key(ask('web.shop.berth'))).not.toBe(key(ask('web.shop.berth', 'AAAA')))
    expect(key(ask('web.shop.berth'))).not.toBe(key(ask('web.shop.berti')))
  })

  it('leaves the number of a type alone that is a letter', () => {
    const https = Buffer.from(ask('web.shop.berth'))
    https.writeUInt16BE(65, https.length - 4)
    const other = Buffer.from(https)
    other.writeUInt16BE(97, https.length - 4)
    expect(key(https)).not.toBe(key(other))
  })
})

it('a dot inside of a label does not make it another name', () => {
  const packet = ask('web_shop.berth')
  packet[packet.indexOf('_')] = '.'.charCodeAt(0)
  expect(readName(packet)).not.toBe('web.shop.berth')
})

describe('encodeRefusal', () => {
  it('repeats id, operation and, if wished, the question', () => {
    const packet = encode({ flags: dnsPacket.RECURSION_DESIRED, questions: [{ name: 'a.example', type: 'MX' }] })
    const { questionEnd } = read(packet)
    expect(dnsPacket.decode(encodeRefusal(packet, 5))).toMatchObject({
      id: 77,
      rcode: 'REFUSED',
      flag_rd: true,
      questions: [],
    })
    const withQuestion = dnsPacket.decode(encodeRefusal(packet, 2, questionEnd))
    expect(withQuestion).toMatchObject({
      rcode: 'SERVFAIL',
      flag_aa: false,
      questions: [{ name: 'a.example', type: 'MX' }],
    })
  })
})
