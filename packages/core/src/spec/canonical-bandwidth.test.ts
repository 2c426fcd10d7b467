import { describe, expect, it } from 'vitest'
import type { AppSpec } from '../model/app-spec.ts'
import { canonicalize } from './canonicalize.ts'
import { resolveSpec } from './resolve-environment.ts'
import type { BandwidthDocument, SpecDocument } from './spec-document.ts'
import { specToDocument } from './spec-to-document.ts'

const withBandwidth = (bandwidth: BandwidthDocument, staging?: BandwidthDocument): SpecDocument => ({
  app: 'shop',
  image: 'nginx',
  entrypoints: { web: { ports: [80], bandwidth } },
  ...(staging === undefined ? {} : { environments: { staging: { entrypoints: { web: { bandwidth: staging } } } } }),
})

const messages = (document: SpecDocument): string[] =>
  canonicalize(document).issues.map(({ path, message }) => `${path.join('.')}: ${message}`)

function specOf(document: SpecDocument): AppSpec {
  const { spec, issues } = canonicalize(document)
  expect(issues).toEqual([])
  return spec!
}

describe('bandwidth in berth.yaml', () => {
  it('is bits per second, and said again in its own words', () => {
    const bandwidth = { in: '200Mbit', out: '0.1Gbit', guaranteed: { in: '50Mbit' } }
    const spec = specOf(withBandwidth(bandwidth))
    expect(spec.entrypoints.web?.resources).toEqual({
      inBitsPerSecond: 200_000_000,
      outBitsPerSecond: 100_000_000,
      guaranteedInBitsPerSecond: 50_000_000,
    })
    expect(specToDocument(spec).entrypoints?.web?.bandwidth).toEqual({
      in: '200Mbit',
      out: '100Mbit',
      guaranteed: { in: '50Mbit' },
    })
  })

  it('differs by environment, part by part', () => {
    const spec = specOf(withBandwidth({ in: '200Mbit', out: '100Mbit' }, { out: '10Mbit' }))
    expect(resolveSpec(spec, 'staging').entrypoints.web?.resources).toEqual({
      inBitsPerSecond: 200_000_000,
      outBitsPerSecond: 10_000_000,
    })
  })

  it('guarantees nobody more than he may have, in no environment', () => {
    expect(messages(withBandwidth({ in: '10Mbit', guaranteed: { in: '20Mbit' } }))).toEqual([
      'entrypoints.web.bandwidth.guaranteed.in: 20Mbit are more than the limit, 10Mbit',
    ])
    expect(messages(withBandwidth({ out: '50Mbit', guaranteed: { out: '20Mbit' } }, { out: '10Mbit' }))).toEqual([
      'environments.staging.entrypoints.web.bandwidth.guaranteed.out: 20Mbit are more than the limit, 10Mbit',
    ])
  })

  it('refuses each amount by itself, and guarantees as plain resources', () => {
    const refused = messages({
      app: 'shop',
      image: 'nginx',
      entrypoints: { web: { bandwidth: { in: 200, out: '1GB' }, resources: { 'bandwidth-in': 5 } } },
    })
    expect(refused).toHaveLength(3)
    expect(refused.join('\n')).toContain('entrypoints.web.bandwidth.in: 200: a bandwidth needs a unit')
    expect(refused.join('\n')).toContain('eight times the bytes')
    expect(refused.join('\n')).toContain('what guarantees of bandwidth are counted by')
  })
})
