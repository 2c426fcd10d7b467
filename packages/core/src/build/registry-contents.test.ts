import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkPlace,
  missingImages,
  neededPlaces,
  placeText,
  registryPlace,
  type StoredImage,
  unneededImages,
} from './registry-contents.ts'

const idOf = (digit: string): string => `sha256:${digit.repeat(64)}`
const digit = fc.constantFrom(...'0123456789abcdef')
const app = fc.constantFrom('shop', 'blog', 'mail')
const release = fc.record({ app, image: digit.map(idOf), createdAt: fc.nat(1000) })
const stored = fc
  .record({ app, image: digit.map(idOf), pushedAt: fc.nat(1000) })
  .map(({ pushedAt, ...each }): StoredImage => ({ ...(registryPlace(each) ?? fail()), pushedAt }))

const fail = (): never => {
  throw new Error('every id has a place')
}

describe('the place of an image', () => {
  it('is its app and its id', () => {
    expect(registryPlace({ app: 'shop', image: idOf('a') })).toEqual({
      repository: 'berth/app-shop',
      tag: 'a'.repeat(64),
    })
    expect(registryPlace({ app: 'shop', image: 'node:26' })).toBeUndefined()
  })

  it.each([
    { repository: 'berth/app-../../etc', tag: 'a'.repeat(64) },
    { repository: 'berth/app-shop/..', tag: 'a'.repeat(64) },
    { repository: 'library/node', tag: 'a'.repeat(64) },
    { repository: 'berth/app-shop', tag: '../x' },
    { repository: 'berth/app-shop' },
  ])('is refused when it is none: %j', (place) => {
    expect(() => checkPlace(place)).toThrow(/no place of an image/)
  })

  it('is taken when it is one', () => {
    fc.assert(
      fc.property(stored, (each) => {
        expect(placeText(checkPlace(each))).toBe(placeText(each))
      }),
    )
  })
})

describe('what a registry should have', () => {
  it('is all that releases are made of, each once, the newest first', () => {
    fc.assert(
      fc.property(fc.array(release), fc.array(stored), (releases, images) => {
        const has = new Set(images.map(placeText))
        const missing = missingImages(releases, has)
        expect(new Set([...missing.map(placeText), ...has])).toEqual(new Set([...neededPlaces(releases), ...has]))
        expect(missing.every((each) => !has.has(placeText(each)))).toBe(true)
        expect(new Set(missing.map(placeText)).size).toBe(missing.length)
        const newest = (each: { image: string; repository: string }) =>
          Math.max(
            ...releases
              .filter(({ app: of, image }) => image === each.image && each.repository === `berth/app-${of}`)
              .map(({ createdAt }) => createdAt),
          )
        const times = missing.map(newest)
        expect(times).toEqual(times.toSorted((a, b) => b - a))
        // Once all is pushed there is nothing left to do.
        expect(missingImages(releases, new Set([...has, ...missing.map(placeText)]))).toEqual([])
      }),
    )
  })

  it('never loses what a release is made of, nor what has just come', () => {
    fc.assert(
      fc.property(fc.array(release), fc.array(stored), fc.nat(2000), fc.nat(500), (releases, images, now, youngMs) => {
        const needed = neededPlaces(releases)
        const gone = unneededImages(images, needed, { now, youngMs })
        for (const each of gone) {
          expect(needed.has(placeText(each))).toBe(false)
          if (youngMs > 0) expect(now - each.pushedAt).toBeGreaterThanOrEqual(youngMs)
        }
        const left = images.filter((each) => !gone.includes(each))
        expect(unneededImages(left, needed, { now, youngMs })).toEqual([])
      }),
    )
  })
})
