import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRegistration } from './read-registration.ts'
import { decideExpiry, type RegisteredService, registeredEntry, withStatus } from './registered-service.ts'

const context = { callerAddress: '::ffff:10.1.2.3', now: 1_000, by: 'token:ci' }

function read(body: unknown): RegisteredService {
  const result = readRegistration(body, context)
  if ('problems' in result) throw new Error(result.problems.join('; '))
  return result.value
}

describe('a registration', () => {
  it('is read as Consul reads it', () => {
    expect(read({ Name: 'legacy' })).toMatchObject({ id: 'legacy', address: '10.1.2.3', port: 0, checks: [] })
    const service = read({
      ...{
        ID: 'legacy-1',
        name: 'legacy',
        address: '10.0.0.9',
        Port: 80,
        Tags: ['a', 'a', 'b'],
        meta: { version: '2' },
      },
      Check: { TTL: '10s', DeregisterCriticalServiceAfter: '5s' },
      Checks: [{ CheckID: 'mine', Name: 'Mine', Status: 'passing', ttl: '1m' }],
    })
    expect(service).toMatchObject({ id: 'legacy-1', port: 80, tags: ['a', 'b'], meta: { version: '2' } })
    expect(service.checks).toMatchObject([
      { id: 'service:legacy-1:1', status: 'critical', ttlMs: 10_000, deregisterAfterMs: 60_000, criticalSince: 1_000 },
      { id: 'mine', name: 'Mine', status: 'passing', ttlMs: 60_000 },
    ])
    expect(registeredEntry(service)).not.toHaveProperty('traffic')
    expect(registeredEntry(read({ Name: 'legacy' }))).toMatchObject({ traffic: 'taking' })
  })

  it.each([
    [{}, 'Name: missing'],
    [{ Name: 'a_b' }, 'letters, digits and dashes'],
    [{ Name: 'a', Port: 70_000 }, 'Port'],
    [{ Name: 'a', Address: 'a b' }, 'neither an address nor a name'],
    [{ Name: 'a', Check: { HTTP: 'http://a' } }, 'no checks of its own (http)'],
    [{ Name: 'a', Check: { TTL: 'soon' } }, 'TTL'],
    [{ Name: 'a', Checks: [{ CheckID: 'x' }, { CheckID: 'x' }] }, 'two have one CheckID'],
    [{ Name: 'a', Connect: { Native: true } }, 'no service mesh'],
    [{ Name: 'a', Tags: 'b' }, 'Tags'],
    [{ Name: 'a', Meta: { a: 1 } }, 'Meta'],
    [[], 'JSON object'],
  ])('%j is refused: %s', (body, words) => {
    const result = readRegistration(body, context)
    expect('problems' in result ? result.problems.join('; ') : '').toContain(words)
  })

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        const result = readRegistration(body, context)
        expect('problems' in result ? result.problems.length : 1).toBeGreaterThan(0)
      }),
    )
  })
})

describe('time', () => {
  const check = { id: 'c', name: 'c', notes: '', status: 'passing', output: '', ttlMs: 100, saidAt: 0 } as const
  const service: RegisteredService = { ...read({ Name: 'a' }), checks: [check] }

  it('makes a check critical exactly when nothing was heard for its TTL, and never before', () => {
    const nat = fc.nat(1_000)
    fc.assert(
      fc.property(nat, nat, nat, fc.constantFrom(0, 0.5), (now, heard, listeningSince, unwritten) => {
        const clock = { now, heardAt: () => heard, unwritten, listeningSince }
        const decided = decideExpiry(service, clock)
        const until = Math.max(heard + 100, listeningSince + 100 * (1 + unwritten))
        expect(decided === undefined).toBe(now < until)
        if (decided === undefined || 'remove' in decided) return
        expect(decided.service.checks[0]).toMatchObject({ status: 'critical', criticalSince: now })
        expect(decideExpiry(decided.service, clock)).toBeUndefined()
      }),
    )
  })

  it('removes a service that has been critical for as long as it allowed', () => {
    const critical = withStatus({ ...check, deregisterAfterMs: 500 }, { status: 'critical', output: '' }, 1_000)
    const at = (now: number) =>
      decideExpiry(
        { ...service, checks: [critical] },
        { now, heardAt: () => undefined, unwritten: 0, listeningSince: 0 },
      )
    expect(at(1_499)).toBeUndefined()
    expect(at(1_500)).toEqual({ remove: true })
    expect(withStatus(critical, { status: 'passing', output: '' }, 2_000)).not.toHaveProperty('criticalSince')
  })
})
