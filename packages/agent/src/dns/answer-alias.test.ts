import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerAlias } from './answer-alias.ts'
import { Forwarder } from './forwarder.ts'
import { codeOf, type Query, readQuery } from './message.ts'
import { type Say, startTestResolver } from './test-resolver.testing.ts'
import { Upstream } from './upstream.ts'

const target = 'db-1.eu.cloud.example'

function queryOf(type: string): Query {
  const questions = [{ name: 'Db.shop.berth', type: type as 'A' }]
  const result = readQuery(dnsPacket.encode({ type: 'query', id: 7, questions }))
  if (result.kind !== 'query') throw new Error(`read as ${result.kind}`)
  return result.query
}

/** The answer for the alias where the only other resolver says this. */
async function ask(say: Say, type = 'A', limit = 512): Promise<Buffer | undefined> {
  await using resolver = await startTestResolver(say)
  using upstream = new Upstream('127.0.0.1', resolver.port)
  const forwarder = new Forwarder({ timeoutsMs: [300] })
  forwarder.setResolvers([upstream])
  const answer = await answerAlias(queryOf(type), target, forwarder, limit)
  for (const each of resolver.asked) expect(each).toMatchObject({ name: target, type })
  return answer
}

const decode = (answer: Buffer | undefined) => dnsPacket.decode(answer as Buffer)

describe('a name that stands for another’s', () => {
  it('is answered with that name and its addresses, through whatever lies between', async () => {
    const answer = await ask(() => ({
      answers: [
        { type: 'CNAME', name: target, ttl: 7, data: 'lb.example' },
        { type: 'A', name: 'lb.example', ttl: 60, data: '192.0.2.1' },
        { type: 'A', name: 'lb.example', ttl: 60, data: '192.0.2.2' },
      ],
    }))
    expect(decode(answer)).toMatchObject({
      id: 7,
      questions: [{ name: 'Db.shop.berth', type: 'A' }],
      answers: [
        { type: 'CNAME', name: 'Db.shop.berth', ttl: 1, data: target },
        { type: 'A', name: target, ttl: 7, data: '192.0.2.1' },
        { type: 'A', name: target, ttl: 7, data: '192.0.2.2' },
      ],
    })
  })

  it('has addresses of version 6 where the other name has', async () => {
    const answer = await ask(
      (question) => ({
        answers: [{ type: 'AAAA', name: question.name, ttl: 60, data: '2001:db8::1' }],
      }),
      'AAAA',
    )
    expect(decode(answer).answers?.[1]).toMatchObject({ type: 'AAAA', data: '2001:db8::1' })
  })

  it('has nothing else, and nobody is asked', async () => {
    const answer = await ask(() => undefined, 'MX')
    expect(decode(answer).answers).toMatchObject([{ type: 'CNAME', data: target }])
  })

  it('leads nowhere where the other name does not exist', async () => {
    const answer = await ask(() => ({ flags: 3 }))
    expect(codeOf(answer as Buffer)).toBe(3)
    expect(decode(answer).answers).toMatchObject([{ type: 'CNAME' }])
  })

  it.each<[string, Say]>([
    ['fails', () => ({ flags: 2 })],
    ['is silent', () => undefined],
  ])('is not known when the other resolver %s', async (_, say) => expect(await ask(say)).toBeUndefined())

  it('is marked where not all of it fits', async () => {
    const answers = Array.from({ length: 60 }, (_, n) => ({
      ...{ type: 'A' as const, name: target, ttl: 60, data: `192.0.2.${n}` },
    }))
    const say: Say = (_, transport) => (transport === 'udp' ? { flags: 0x200 } : { answers })
    const answer = await ask(say)
    expect(answer?.length).toBeLessThanOrEqual(512)
    expect(decode(answer).flag_tc).toBe(true)
    expect(decode(await ask(say, 'A', 65_535)).answers).toHaveLength(61)
  })

  it('is a whole message whatever the other resolver says', async () => {
    const record = fc.record({
      type: fc.constantFrom('A', 'AAAA', 'CNAME', 'TXT' as const),
      name: fc.constantFrom(target, 'other.example', '.'),
      ttl: fc.nat(100_000),
    })
    const data = { A: '192.0.2.1', AAAA: '2001:db8::1', CNAME: 'other.example', TXT: 'text' }
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 8 }), async (records) => {
        const answers = records.map((each) => ({ ...each, data: data[each.type] })) as dnsPacket.Answer[]
        const decoded = decode(await ask(() => ({ answers })))
        expect(decoded.answers?.[0]).toMatchObject({ type: 'CNAME', data: target })
        expect(decoded.answers?.slice(1).every((each) => each.type === 'A')).toBe(true)
        expect(decoded.answers?.length).toBe(1 + records.filter(({ type }) => type === 'A').length)
      }),
      { numRuns: 30 },
    )
  })
})
