import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventTypes, unknownEvents } from '../model/event-types.ts'
import { isSubscribed, readSubscription, retryDelayMs, subscriptionTarget } from './subscription.ts'

describe('a subscription', () => {
  it('is read, with every mistake', () => {
    expect(
      readSubscription('ci', { url: 'https://ci.example/hook', events: ['rollout.*', 'rollout.*', 'app.removed'] }),
    ).toEqual({
      subscription: { name: 'ci', url: 'https://ci.example/hook', events: ['app.removed', 'rollout.*'] },
    })
    const wrong = readSubscription('C I', { url: 'ftp://a', events: ['Rollout', 'a.b.c'], app: 'A' })
    expect('problems' in wrong ? wrong.problems : []).toHaveLength(5)
    const password = readSubscription('ci', { url: 'https://a:b@ci.example/' })
    expect('problems' in password ? password.problems.join() : '').toContain('password')
  })

  it.each([
    ['rollout.start', 'there is no event "rollout.start"; did you mean rollout.started?'],
    ['rolout.*', 'there is no event "rolout.*"; did you mean rollout.*?'],
    ['rollouts', 'there is no event "rollouts"; did you mean rollout.*?'],
    ['Rollout', 'there is no event "rollout"; did you mean rollout.*?'],
    ['job.exploded', 'there is no event "job.exploded"; those of job are job.started'],
    ['weather.changed', 'there is no event "weather.changed"; berth events'],
    ['a.b.c', '"a.b.c" is none; write *, rollout.* or instance.ready'],
  ])('of %s is refused: %s', (pattern, expected) => {
    const read = readSubscription('ci', { url: 'https://a/', events: ['*', pattern] })
    expect('problems' in read ? read.problems : []).toEqual([expect.stringContaining(expected)])
    expect('problems' in read ? read.problems.join() : '').toContain('berth events --types')
  })

  it('may name every event that there is, and its area', () => {
    for (const type of Object.keys(eventTypes)) {
      expect(type).toMatch(/^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/)
      for (const pattern of [type, type.replace(/\..*/, '.*')]) expect(unknownEvents(pattern)).toBeUndefined()
    }
    // `closest` looks at so many candidates, and no more.
    expect(Object.keys(eventTypes).length).toBeLessThanOrEqual(200)
    expect(Object.keys(eventTypes)).toEqual(Object.keys(eventTypes).toSorted())
  })

  it.each([
    ['http://a/b?c=d', { kind: 'webhook', url: 'http://a/b?c=d' }],
    ['redis://10.0.0.5/berth', { kind: 'redis', host: '10.0.0.5', port: 6379, channel: 'berth' }],
    ['redis://[::1]:7000/a:b', { kind: 'redis', host: '::1', port: 7000, channel: 'a:b' }],
    ['redis://10.0.0.5', undefined],
    ['redis://a:99999/b', undefined],
    ['https://', undefined],
    ['https://a b', undefined],
  ])('leads from %s to %j', (url, target) => {
    expect(subscriptionTarget(url)).toEqual(target)
  })

  it.each([
    [['*'], undefined, true],
    [['rollout.*'], undefined, true],
    [['rollout.started'], 'shop', true],
    [['rollout.ended', 'instance.*'], undefined, false],
    [['*'], 'blog', false],
  ])('to %j of app %s: %s', (events, app, expected) => {
    const event = { type: 'rollout.started', subject: { app: 'shop' } }
    expect(isSubscribed({ events, ...(app === undefined ? {} : { app }) }, event)).toBe(expected)
  })

  it('is tried again later and later, and at least every 72 seconds', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
        const waitMs = retryDelayMs(failures, random)
        expect(waitMs).toBeGreaterThanOrEqual(800)
        expect(waitMs).toBeLessThanOrEqual(72_000)
        expect(retryDelayMs(failures + 1, random)).toBeGreaterThanOrEqual(waitMs)
      }),
    )
  })
})
