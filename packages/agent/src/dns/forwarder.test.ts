import { setTimeout as delay } from 'node:timers/promises'
import dnsPacket from 'dns-packet'
import { describe, expect, it } from 'vitest'
import { Forwarder } from './forwarder.ts'
import { codeOf, type Query, readQuery } from './message.ts'
import { type Say, startTestResolver } from './test-resolver.testing.ts'
import { Upstream } from './upstream.ts'

function queryOf(name: string, id = 7): Query {
  const result = readQuery(dnsPacket.encode({ type: 'query', id, questions: [{ name, type: 'A' }] }))
  if (result.kind !== 'query') throw new Error(`read as ${result.kind}`)
  return result.query
}

const codes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN']
const timeoutsMs = [150, 150, 150]
const address =
  (data: string, ttl = 60): Say =>
  (question) => ({
    answers: [{ type: 'A', name: question.name, ttl, data }],
  })
const fails: Say = () => ({ flags: 2 })
const silent: Say = () => undefined

async function resolve(forwarder: Forwarder, name: string): Promise<string | undefined> {
  const answer = await forwarder.resolve(queryOf(name), 512)
  if (answer === undefined) return undefined
  const [first] = dnsPacket.decode(answer).answers ?? []
  return first?.type === 'A' ? first.data : codes[codeOf(answer)]
}

describe('asking others', () => {
  it('shares one question between equal ones, and keeps its answer', async () => {
    await using resolver = await startTestResolver(address('192.0.2.1'))
    using upstream = new Upstream('127.0.0.1', resolver.port)
    const forwarder = new Forwarder()
    forwarder.setResolvers([upstream])
    expect(forwarder.cached(queryOf('a.example'), 512)).toBeUndefined()
    const answers = await Promise.all(Array.from({ length: 20 }, () => resolve(forwarder, 'a.example')))
    expect(new Set(answers)).toEqual(new Set(['192.0.2.1']))
    const kept = forwarder.cached(queryOf('A.Example', 9), 512) as Buffer
    expect(dnsPacket.decode(kept)).toMatchObject({ id: 9, questions: [{ name: 'A.Example' }] })
    expect(resolver.asked).toHaveLength(1)
  })

  it('forgets an answer when its time is over', async () => {
    await using resolver = await startTestResolver(address('192.0.2.1', 1))
    using upstream = new Upstream('127.0.0.1', resolver.port)
    const forwarder = new Forwarder()
    forwarder.setResolvers([upstream])
    await resolve(forwarder, 'a.example')
    expect(forwarder.cached(queryOf('a.example'), 512)).toBeDefined()
    const end = Date.now() + 5000
    while (forwarder.cached(queryOf('a.example'), 512) !== undefined && Date.now() < end) await delay(20)
    expect(forwarder.cached(queryOf('a.example'), 512)).toBeUndefined()
    expect(forwarder.cacheBytes).toBe(0)
  })

  it.each<[string, Say]>([
    ['is silent', silent],
    ['fails', fails],
    ['refuses', () => ({ flags: 5 })],
    ['answers something else', () => ({ questions: [{ name: 'other.example', type: 'A' }] })],
  ])('asks the next resolver when one %s', async (_, say) => {
    await using first = await startTestResolver(say)
    await using second = await startTestResolver(address('192.0.2.2'))
    using one = new Upstream('127.0.0.1', first.port)
    using two = new Upstream('127.0.0.1', second.port)
    const forwarder = new Forwarder({ timeoutsMs })
    forwarder.setResolvers([one, two])
    expect(await resolve(forwarder, 'a.example')).toBe('192.0.2.2')
  })

  it('asks a resolver last for a while that did not answer', async () => {
    await using first = await startTestResolver(silent, '127.0.0.2')
    await using second = await startTestResolver(address('192.0.2.2'), '127.0.0.3')
    using one = new Upstream('127.0.0.2', first.port)
    using two = new Upstream('127.0.0.3', second.port)
    const forwarder = new Forwarder({ timeoutsMs })
    forwarder.setResolvers([one, two])
    for (const name of ['a.example', 'b.example', 'c.example']) await resolve(forwarder, name)
    expect(first.asked).toHaveLength(1)
    expect(second.asked).toHaveLength(3)
  })

  it('knows at once that nobody listens', async () => {
    const resolver = await startTestResolver(silent)
    const { port } = resolver
    await resolver[Symbol.asyncDispose]()
    using upstream = new Upstream('127.0.0.1', port)
    const forwarder = new Forwarder({ timeoutsMs: [5000, 5000, 5000] })
    forwarder.setResolvers([upstream])
    const start = Date.now()
    expect(await resolve(forwarder, 'a.example')).toBeUndefined()
    expect(Date.now() - start).toBeLessThan(4900)
  })

  it('passes a failure on when all fail, and has nothing to say when all are silent or there is none', async () => {
    await using resolver = await startTestResolver(fails)
    using upstream = new Upstream('127.0.0.1', resolver.port)
    const forwarder = new Forwarder({ timeoutsMs })
    expect(await resolve(forwarder, 'a.example')).toBeUndefined()
    forwarder.setResolvers([upstream])
    expect(await resolve(forwarder, 'a.example')).toBe('SERVFAIL')
    resolver.say = silent
    expect(await resolve(forwarder, 'b.example')).toBeUndefined()
  })

  it('asks by TCP what did not fit', async () => {
    await using resolver = await startTestResolver((question, transport) =>
      transport === 'udp' ? { flags: dnsPacket.TRUNCATED_RESPONSE } : address('192.0.2.3')(question, transport),
    )
    using upstream = new Upstream('127.0.0.1', resolver.port)
    const forwarder = new Forwarder()
    forwarder.setResolvers([upstream])
    expect(await resolve(forwarder, 'a.example')).toBe('192.0.2.3')
    expect(resolver.asked.map((each) => each.transport)).toEqual(['udp', 'tcp'])
  })

  it('keeps no more than it may', async () => {
    await using resolver = await startTestResolver(address('192.0.2.1'))
    using upstream = new Upstream('127.0.0.1', resolver.port)
    const forwarder = new Forwarder({ maxCacheBytes: 5000 })
    forwarder.setResolvers([upstream])
    for (let n = 0; n < 40; n++) await resolve(forwarder, `n${n}.example`)
    expect(forwarder.cacheBytes).toBeLessThanOrEqual(5000)
    expect(forwarder.cached(queryOf('n0.example'), 512)).toBeUndefined()
    expect(forwarder.cached(queryOf('n39.example'), 512)).toBeDefined()
  })

  it('takes no more questions than it may have under way', async () => {
    await using resolver = await startTestResolver(silent)
    using upstream = new Upstream('127.0.0.1', resolver.port)
    const forwarder = new Forwarder({ timeoutsMs, maxPending: 10 })
    forwarder.setResolvers([upstream])
    await Promise.all(Array.from({ length: 30 }, (_, n) => resolve(forwarder, `n${n}.example`)))
    expect(new Set(resolver.asked.map((each) => each.name)).size).toBe(10)
  })

  it('forgets the answers of former resolvers', async () => {
    await using first = await startTestResolver(address('192.0.2.1'))
    await using second = await startTestResolver(address('192.0.2.2'))
    using one = new Upstream('127.0.0.1', first.port)
    using two = new Upstream('127.0.0.1', second.port)
    const forwarder = new Forwarder()
    forwarder.setResolvers([one])
    expect(await resolve(forwarder, 'a.example')).toBe('192.0.2.1')
    forwarder.setResolvers([two])
    expect(forwarder.cached(queryOf('a.example'), 512)).toBeUndefined()
    expect(await resolve(forwarder, 'a.example')).toBe('192.0.2.2')
  })
})
