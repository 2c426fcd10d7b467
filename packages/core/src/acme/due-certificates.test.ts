import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { certificateNeeds, type HeldCertificate, isObtainable, pauseMs } from './due-certificates.ts'

const dayMs = 86_400_000
const now = 1_000 * dayMs
const held = (hosts: string[], leftDays: number, acme = true): HeldCertificate => {
  const notAfter = now + leftDays * dayMs
  return { hosts, notBefore: notAfter - 90 * dayMs, notAfter, acme }
}
const needs = (
  hosts: string[],
  certificates: HeldCertificate[] = [],
  failed: { host: string; failures: number; at: number }[] = [],
) => certificateNeeds({ hosts, certificates, failed }, now).map(({ host, state }) => `${host} ${state}`)

describe('certificates that are due', () => {
  it.each<[string, string[], HeldCertificate[], string[]]>([
    ['none is there', ['a.example.com'], [], ['a.example.com due']],
    ['one is good', ['a.example.com'], [held(['a.example.com'], 31)], ['a.example.com held']],
    ['a third of its time is left', ['a.example.com'], [held(['a.example.com'], 30)], ['a.example.com due']],
    ['it has run out', ['a.example.com'], [held(['a.example.com'], -5)], ['a.example.com due']],
    ['somebody gave one', ['a.example.com'], [held(['*.example.com'], 3, false)], ['a.example.com own']],
    ['a wildcard is for one label', ['b.a.example.com'], [held(['*.example.com'], 80, false)], ['b.a.example.com due']],
    [
      'nobody could ask',
      ['*', '*.example.com', 'web', '10.0.0.1'],
      [],
      ['* cannot', '*.example.com cannot', '10.0.0.1 cannot', 'web cannot'],
    ],
    [
      'what runs out comes after what there is not, and before what has time',
      ['a.x.org', 'b.x.org', 'c.x.org'],
      [held(['a.x.org'], 20), held(['b.x.org'], 2)],
      ['c.x.org due', 'b.x.org due', 'a.x.org due'],
    ],
  ])('%s', (_, hosts, certificates, expected) => {
    expect(needs(hosts, certificates)).toEqual(expected)
  })

  it('are tried again later and later, and one at least every day', () => {
    const failed = (failures: number, agoMs: number) => [{ host: 'a.x.org', failures, at: now - agoMs }]
    expect(needs(['a.x.org'], [], failed(1, 59_000))).toEqual(['a.x.org waits'])
    expect(needs(['a.x.org'], [], failed(1, 60_000))).toEqual(['a.x.org due'])
    expect(needs(['a.x.org'], [], failed(4, 3_600_000))).toEqual(['a.x.org waits'])
    expect(pauseMs(1_000)).toBe(dayMs)
  })

  it('wait for all when too many have failed within an hour', () => {
    const failed = Array.from({ length: 30 }, (_, index) => ({
      host: `h${index}.x.org`,
      failures: 1,
      at: now - 600_000,
    }))
    const [need] = certificateNeeds({ hosts: ['new.x.org'], certificates: [], failed }, now)
    expect(need).toEqual({ host: 'new.x.org', state: 'waits', nextAt: now + 3_000_000 })
    expect(needs(['new.x.org'], [], failed.slice(1))).toEqual(['new.x.org due'])
  })

  it('never fail for a host more than five times an hour, nor for all more than 30, whatever is asked when', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(120_000)), { maxLength: 300 }), (steps) => {
        const failed = new Map<string, { host: string; failures: number; at: number }>()
        const tried: { host: string; at: number }[] = []
        let at = now
        for (const [index, gapMs] of steps) {
          at += gapMs
          const hosts = [`h${index}.x.org`]
          const [need] = certificateNeeds({ hosts, certificates: [], failed: [...failed.values()] }, at)
          if (need?.state !== 'due') continue
          tried.push({ host: need.host, at })
          failed.set(need.host, { host: need.host, failures: (failed.get(need.host)?.failures ?? 0) + 1, at })
        }
        for (const { at: from } of tried) {
          const hour = tried.filter((each) => each.at >= from && each.at < from + 3_600_000)
          const most = Math.max(
            ...Map.groupBy(hour, ({ host }) => host)
              .values()
              .map((each) => each.length),
          )
          expect(most).toBeLessThanOrEqual(5)
          expect(new Set(hour.map(({ host }) => host)).size).toBeLessThanOrEqual(31)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('are asked for of names that can be looked up', () => {
    expect(['shop.example.com', 'xn--fiqs8s.cn'].every(isObtainable)).toBe(true)
  })
})
