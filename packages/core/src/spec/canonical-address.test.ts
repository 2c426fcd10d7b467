import { describe, expect, it } from 'vitest'
import { canonicalize } from './canonicalize.ts'
import type { EntrypointDocument, SpecDocument } from './spec-document.ts'
import { specToDocument } from './spec-to-document.ts'

const document = (entrypoints: Record<string, EntrypointDocument>, over: Partial<SpecDocument> = {}): SpecDocument => ({
  ...{ app: 'shop', image: 'nginx', entrypoints },
  ...over,
})
const keep = { address: 'keep' }

const problems = (given: SpecDocument): string[] =>
  canonicalize(given).issues.map(({ path, message, suggestion }) => `${path.join('.')}: ${message} | ${suggestion}`)

describe('address: keep', () => {
  it('is told from the default, which is not written down, and is read as it was written', () => {
    const { spec, issues } = canonicalize(document({ db: keep, web: {} }))
    expect(issues).toEqual([])
    expect(spec?.entrypoints.db).toMatchObject({ address: 'keep' })
    expect(spec?.entrypoints.web).not.toHaveProperty('address')
    expect(spec?.rollout).toMatchObject({ surge: { percent: 25 }, unavailable: 0 })
    expect(canonicalize(specToDocument(spec!)).spec).toEqual(spec)
  })

  it('alone in an app means that there is never one more, and that one may be missing', () => {
    const { spec, issues } = canonicalize(document({ db: keep, backup: { type: 'job' } }))
    expect(issues).toEqual([])
    expect(spec?.rollout).toMatchObject({ surge: 0, unavailable: 1 })
    expect(canonicalize(specToDocument(spec!)).spec).toEqual(spec)
    expect(problems(document({ db: keep }, { rollout: { unavailable: '50%' } }))).toEqual([])
  })

  it.each<[string, SpecDocument, RegExp]>([
    [
      'another word',
      document({ db: { address: 'static' } }),
      /^entrypoints.db.address: "static" is nothing .*write `address: keep`/,
    ],
    [
      'a job',
      document({ db: { ...keep, type: 'job' } }),
      /db.address: addresses cannot be kept: a job has no successor/,
    ],
    [
      'the network of the node',
      document({ db: { ...keep, network: 'host' } }),
      /instance has the node’s own \| leave out `address`, or `network`/,
    ],
    ['a gang', document({ db: { ...keep, gang: true } }), /those of a gang begin together/],
    [
      'a system service',
      document({ db: { ...keep, placement: { strategy: 'each' } } }),
      /belongs to its node.*or `placement.strategy`/,
    ],
    ['two on each node', document({ db: { ...keep, placement: { strategy: { each: 2 } } } }), /belongs to its node/],
    [
      'a surge that nobody could use',
      document({ db: keep }, { rollout: { surge: 1 } }),
      /^rollout.surge: db: with `address: keep` an instance ends before its successor begins.*leave `surge` out/,
    ],
    [
      'nothing that may be missing',
      document({ db: keep }, { rollout: { unavailable: 0 } }),
      /nothing could ever be replaced/,
    ],
  ])('refuses %s', (_, given, problem) => {
    expect(problems(given)).toEqual([expect.stringMatching(problem)])
  })

  it('lets others of the app have a surge', () => {
    expect(problems(document({ db: keep, web: {} }, { rollout: { surge: 2, unavailable: 0 } }))).toEqual([])
  })
})
