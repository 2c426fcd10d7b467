import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Query, readQuery } from './message.ts'
import {
  encodeForwardedAnswer,
  encodeUpstreamQuery,
  readUpstreamAnswer,
  type UpstreamAnswer,
} from './upstream-message.ts'

const opt = (flags = 0): dnsPacket.Answer =>
  ({ type: 'OPT', name: '.', udpPayloadSize: 4096, flags, options: [] }) as never
const authority = (ttl: number, minimum: number): dnsPacket.Answer => ({
  type: 'SOA',
  name: 'example.com',
  ttl,
  data: { mname: 'ns.example.com', rname: 'x.example.com', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
})
const a = (data: string, ttl = 60): dnsPacket.Answer => ({ type: 'A', name: 'example.com', ttl, data })

function queryOf(name: string, packet: dnsPacket.Packet = {}): Query {
  const message = dnsPacket.encode({ type: 'query', id: 7, ...packet, questions: [{ name, type: 'A' }] })
  const result = readQuery(message)
  if (result.kind !== 'query') throw new Error(`read as ${result.kind}`)
  return result.query
}

const query = queryOf('Example.com', { flags: dnsPacket.RECURSION_DESIRED })
const response = (packet: dnsPacket.Packet): Buffer =>
  dnsPacket.encode({ type: 'response', id: 99, questions: [{ name: 'example.COM', type: 'A' }], ...packet })

function read(packet: dnsPacket.Packet): UpstreamAnswer {
  const answer = readUpstreamAnswer(response(packet), query, 99)
  if (answer === undefined) throw new Error('it was not taken as an answer')
  return answer
}

const mark = '0123456789abcdef'

describe('encodeUpstreamQuery', () => {
  it('is known again by its mark, other options beside it', () => {
    const asked = readQuery(encodeUpstreamQuery(query, 5, mark))
    expect(asked).toMatchObject({ kind: 'query', query: { loopMark: mark } })
    const options = [
      { code: 10, data: Buffer.alloc(8) },
      { code: 65_077, data: Buffer.from(mark, 'hex') },
    ]
    expect(queryOf('a.example', { additionals: [{ ...opt(), options } as never] }).loopMark).toBe(mark)
    const short = [{ code: 65_077, data: Buffer.alloc(7) }]
    expect(queryOf('a.example', { additionals: [{ ...opt(), options: short } as never] }).loopMark).toBeUndefined()
    expect(query.loopMark).toBeUndefined()
  })

  it('asks for recursion and takes answers longer than 512 bytes', () => {
    expect(dnsPacket.decode(encodeUpstreamQuery(query, 5, mark))).toMatchObject({
      id: 5,
      flag_rd: true,
      questions: [{ name: 'Example.com', type: 'A' }],
      additionals: [{ type: 'OPT', udpPayloadSize: 1232, flag_do: false }],
    })
  })

  it("passes the asker's DNSSEC wishes on", () => {
    const wishes = opt(dnsPacket.DNSSEC_OK)
    const asked = dnsPacket.decode(
      encodeUpstreamQuery(
        queryOf('example.com', { flags: dnsPacket.CHECKING_DISABLED, additionals: [wishes] }),
        5,
        mark,
      ),
    )
    expect(asked).toMatchObject({ flag_cd: true, additionals: [{ flag_do: true }] })
  })
})

describe('readUpstreamAnswer', () => {
  it.each<[string, dnsPacket.Packet, number]>([
    ['the shortest time of its records', { answers: [a('192.0.2.1', 60), a('192.0.2.2', 20)] }, 20],
    ['five minutes at most', { answers: [a('192.0.2.1', 86_400)] }, 300],
    ['not at all when it says so', { answers: [a('192.0.2.1', 0)] }, 0],
    ['as long as the zone says that nothing is there', { flags: 3, authorities: [authority(600, 10)] }, 10],
    ['half a minute at most when nothing is there', { flags: 3, authorities: [authority(600, 600)] }, 30],
    ['not at all when nothing is there and the zone is silent', { flags: 3 }, 0],
    ['not at all when it is a failure', { flags: 2, authorities: [authority(60, 60)] }, 0],
    ['not at all when it is cut', { flags: dnsPacket.TRUNCATED_RESPONSE, answers: [a('192.0.2.1')] }, 0],
  ])('keeps an answer %s', (_, packet, ttlSeconds) => expect(read(packet).ttlSeconds).toBe(ttlSeconds))

  it.each<[string, Buffer]>([
    ['another id', Buffer.concat([Buffer.from([0, 98]), response({ answers: [] }).subarray(2)])],
    ['another question', response({ questions: [{ name: 'example.net', type: 'A' }] })],
    ['another type', response({ questions: [{ name: 'example.com', type: 'AAAA' }] })],
    ['a query', dnsPacket.encode({ type: 'query', id: 99, questions: [{ name: 'example.com', type: 'A' }] })],
    ['no question', response({ questions: [] })],
    ['a cut message', response({ answers: [a('192.0.2.1')] }).subarray(0, -2)],
  ])('does not take %s for an answer', (_, message) => {
    expect(readUpstreamAnswer(message, query, 99)).toBeUndefined()
  })

  it('never throws, whatever comes', () => {
    const valid = response({ answers: [a('192.0.2.1')], additionals: [opt()] })
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.uint8Array({ maxLength: 60 }), (at, junk) => {
        const message = Buffer.concat([valid.subarray(0, at), junk])
        expect(() => readUpstreamAnswer(message, query, 99)).not.toThrow()
      }),
      { numRuns: 5000 },
    )
  })
})

describe('encodeForwardedAnswer', () => {
  const decode = (asked: Query, answer: UpstreamAnswer, age = 0, limit = 512) => {
    const message = encodeForwardedAnswer(asked, answer, age, limit)
    expect(message.length).toBeLessThanOrEqual(limit)
    return dnsPacket.decode(message)
  }
  const answer = read({
    answers: [a('192.0.2.1', 60)],
    additionals: [a('192.0.2.9'), opt()],
    flags: dnsPacket.AUTHENTIC_DATA,
  })

  it("has the asker's id and spelling, and what is left of the time", () => {
    const decoded = decode(query, answer, 25)
    expect(decoded).toMatchObject({ id: 7, flag_rd: true, flag_ra: true, flag_ad: true, rcode: 'NOERROR' })
    expect(decoded.questions).toMatchObject([{ name: 'Example.com' }])
    expect(decoded.answers).toMatchObject([{ data: '192.0.2.1', ttl: 35 }])
  })

  it('has an OPT record of our own exactly when the asker sent one', () => {
    expect(decode(query, answer).additionals).toMatchObject([{ type: 'A', data: '192.0.2.9' }])
    const withEdns = decode(queryOf('example.com', { additionals: [opt()] }), answer)
    expect(withEdns.additionals).toMatchObject([{ type: 'A' }, { type: 'OPT', udpPayloadSize: 1232 }])
  })

  it('is empty and marked when it does not fit, so that the asker comes back by TCP', () => {
    const long = read({ answers: Array.from({ length: 60 }, (_, n) => a(`192.0.2.${n}`)) })
    expect(decode(query, long)).toMatchObject({ flag_tc: true, answers: [], additionals: [] })
    expect(decode(query, long, 0, 65_535).answers).toHaveLength(60)
    const cut = decode(queryOf('example.com', { additionals: [opt()] }), long)
    expect(cut).toMatchObject({ flag_tc: true, answers: [], additionals: [{ type: 'OPT' }] })
  })

  it('does not change what is kept', () => {
    decode(query, answer, 50)
    expect(decode(query, answer, 0).answers).toMatchObject([{ ttl: 60 }])
  })
})
