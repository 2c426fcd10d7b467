import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type OfferedCertificate, servingCertificates, supersededHosts } from './serving-certificates.ts'

const now = 100
const offer = (name: string, given: Partial<OfferedCertificate> = {}): OfferedCertificate => ({
  ...{ name, hosts: ['*.a.b'], notBefore: 0, notAfter: 200 },
  ...given,
})
const shown = (...offered: OfferedCertificate[]) =>
  Object.fromEntries([...servingCertificates(offered, now)].map(([host, { name }]) => [host, name]))

it.each<[string, OfferedCertificate[], string]>([
  ['the one that ends last', [offer('old'), offer('new', { notAfter: 300 })], 'new'],
  ['not one that is not valid yet', [offer('now'), offer('later', { notBefore: 150, notAfter: 400 })], 'now'],
  ['a given one before an obtained one', [offer('acme', { acme: true, notAfter: 500 }), offer('given')], 'given'],
  ['an obtained one before an expired one', [offer('given', { notAfter: 99 }), offer('acme', { acme: true })], 'acme'],
  ['one of two alike, always the same', [offer('y'), offer('x')], 'x'],
  ['what there is', [offer('over', { notAfter: 50 })], 'over'],
])('%s', (_, offered, name) => {
  expect(shown(...offered)).toEqual({ '*.a.b': name })
  expect(shown(...offered.toReversed())).toEqual({ '*.a.b': name })
})

it('goes name by name, and leaves out what no gateway can serve', () => {
  const wide = offer('wide', { hosts: ['*.a.b', 'a.b', 'a.b', '*', 'f*.a.b'] })
  const fresh = offer('fresh', { hosts: ['*.a.b'], notAfter: 300 })
  expect(shown(wide, fresh)).toEqual({ '*.a.b': 'fresh', 'a.b': 'wide' })
  const serving = servingCertificates([wide, fresh], now)
  expect(supersededHosts(wide, serving)).toEqual([{ host: '*.a.b', by: 'fresh' }])
  expect(supersededHosts(fresh, serving)).toEqual([])
})

it('shows exactly one for every name that there is, in whatever order they come', () => {
  const host = fc.constantFrom('a.b', '*.a.b', 'c.d', 'e.f')
  const time = fc.integer({ min: 0, max: 200 })
  const one = fc.record({ hosts: fc.array(host, { minLength: 1 }), notBefore: time, notAfter: time })
  fc.assert(
    fc.property(fc.array(one), fc.gen(), (list, gen) => {
      const offered = list.map((each, index) => offer(`c${index}`, each))
      const mixed = gen(() => fc.shuffledSubarray(offered, { minLength: offered.length }))
      const serving = servingCertificates(mixed, now)
      expect(new Set(serving.keys())).toEqual(new Set(offered.flatMap(({ hosts }) => hosts)))
      for (const [name, { hosts }] of serving) expect(hosts).toContain(name)
      expect(shown(...mixed)).toEqual(shown(...offered))
      for (const each of offered) {
        const others = supersededHosts(each, serving).map(({ host: other }) => other)
        for (const name of each.hosts) expect(serving.get(name)?.name === each.name).toBe(!others.includes(name))
      }
    }),
  )
})
