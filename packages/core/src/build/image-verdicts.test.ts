import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ImageNeeds, type ImageVerdict, judgeImages, type NodeImage } from './image-verdicts.ts'

const now = 1_000_000
const clock = { now, youngMs: 1000 }
const nothing: ImageNeeds = { releases: new Set(), levels: new Set(), building: new Set(), buildsHere: false }

const image = (reference: string, over: Partial<NodeImage> = {}): NodeImage => ({
  reference,
  id: `sha256:${reference}`,
  createdAt: 0,
  sizeBytes: 1,
  used: false,
  ...over,
})

const verdicts = (images: readonly NodeImage[], needs: Partial<ImageNeeds> = {}): Record<string, ImageVerdict> =>
  Object.fromEntries(
    judgeImages(images, { ...nothing, ...needs }, clock).map(({ reference, verdict }) => [reference, verdict]),
  )

describe('an image of an app', () => {
  const shop = 'berth/app-shop:abc-b-1'

  it.each<[string, Partial<NodeImage>, Partial<ImageNeeds>, ImageVerdict]>([
    ['that nothing speaks for', {}, {}, 'unneeded'],
    ['that a container is made of', { used: true }, {}, 'used'],
    ['that a release is made of', { id: 'sha256:1' }, { releases: new Set(['sha256:1']) }, 'release'],
    ['whose app is being built', {}, { building: new Set(['shop']) }, 'building'],
    ['of another app than is being built', {}, { building: new Set(['blog']) }, 'unneeded'],
    ['on a node that builds something else', {}, { buildsHere: true }, 'unneeded'],
    ['that was made just now', { createdAt: now - 999 }, {}, 'new'],
    ['that was made in the future, by its node’s clock', { createdAt: now + 9999 }, {}, 'new'],
  ])('%s', (_, over, needs, verdict) => expect(verdicts([image(shop, over)], needs)).toEqual({ [shop]: verdict }))
})

describe('a level', () => {
  const [old, newer, other] = ['berth/level-node:a', 'berth/level-node:b', 'berth/level-debian:c']
  const images = [image(old, { createdAt: 1 }), image(newer, { createdAt: 2 }), image(other)]

  it('stays while it is the newest of its name', () =>
    expect(verdicts(images)).toEqual({ [old]: 'unneeded', [newer]: 'level', [other]: 'level' }))
  it('stays while something stands on it', () =>
    expect(verdicts(images, { levels: new Set([old]) })).toMatchObject({ [old]: 'level' }))
  it('stays while its node builds', () =>
    expect(verdicts(images, { buildsHere: true })).toMatchObject({ [old]: 'building' }))
  it('goes though an app is built elsewhere', () =>
    expect(verdicts(images, { building: new Set(['node']) })).toMatchObject({ [old]: 'unneeded' }))
})

it('does not judge what has no name of Berth’s', () =>
  expect(
    verdicts(
      ['debian:12', 'berth/base:local', 'registry:5000/berth/app-x:1', 'berth/app-x'].map((each) => image(each)),
    ),
  ).toEqual({}))

it('never calls an image unneeded that anything speaks for', () => {
  const reference = fc
    .tuple(fc.constantFrom('app', 'level'), fc.constantFrom('shop', 'blog', 'node'), fc.nat(3))
    .map(([kind, name, tag]) => `berth/${kind}-${name}:${tag}`)
  const images = fc.array(
    fc.record({
      reference,
      id: fc.nat(5).map(String),
      createdAt: fc.nat(now),
      sizeBytes: fc.nat(),
      used: fc.boolean(),
    }),
  )
  const set = (each: fc.Arbitrary<string>) => fc.array(each, { maxLength: 4 }).map((list) => new Set(list))
  const needs = fc.record({
    releases: set(fc.nat(5).map(String)),
    levels: set(reference),
    building: set(fc.constantFrom('shop', 'blog')),
    buildsHere: fc.boolean(),
  })
  fc.assert(
    fc.property(images, needs, (list, needed) => {
      for (const each of judgeImages(list, needed, clock)) {
        if (each.verdict !== 'unneeded') continue
        expect(each.used || needed.releases.has(each.id) || needed.levels.has(each.reference)).toBe(false)
        for (const app of needed.building) expect(each.reference.startsWith(`berth/app-${app}:`)).toBe(false)
        if (needed.buildsHere) expect(each.reference.startsWith('berth/level-')).toBe(false)
        expect(now - each.createdAt).toBeGreaterThanOrEqual(clock.youngMs)
      }
    }),
  )
})
