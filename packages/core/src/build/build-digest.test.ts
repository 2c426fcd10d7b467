import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BuildInputs, buildInputsDigest, type LevelInputs, levelDigest } from './build-digest.ts'
import { canonicalJson } from './canonical-json.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const level: LevelInputs = {
  parent: 'sha256:aa',
  position: 1,
  copied: { 'node:26': 'sha256:bb' },
  content: {
    name: 'node',
    manifest: { from: 'base', packages: ['curl'], copy: [], env: { A: '1', B: '2' } },
    staticScript: 'echo static',
    runtimeScript: 'echo runtime',
    files: [
      { path: 'etc/a', mode: 0o644, digest: '1' },
      { path: 'etc/b', mode: 0o644, digest: '2' },
    ],
  },
}
const withContent = (change: Partial<LevelInputs['content']>): LevelInputs => ({
  ...level,
  content: { ...level.content, ...change },
})

describe('a level’s digest', () => {
  test.each<[string, LevelInputs]>([
    ['another base', { ...level, parent: 'sha256:ab' }],
    ['another position', { ...level, position: 2 }],
    ['another copied image', { ...level, copied: { 'node:26': 'sha256:cc' } }],
    ['another static.sh', withContent({ staticScript: 'echo static ' })],
    ['another runtime.sh', withContent({ runtimeScript: '' })],
    ['another file mode', withContent({ files: [{ path: 'etc/a', mode: 0o755, digest: '1' }] })],
    ['another name', withContent({ name: 'node2' })],
    ['another variable', withContent({ manifest: { ...level.content.manifest, env: { A: '1', B: '3' } } })],
  ])('%s changes it', (_, changed) => {
    expect(levelDigest(changed, sha256)).not.toBe(levelDigest(level, sha256))
  })

  test.each<[string, LevelInputs]>([
    ['the order of files', withContent({ files: level.content.files.toReversed() })],
    ['the order of variables', withContent({ manifest: { ...level.content.manifest, env: { B: '2', A: '1' } } })],
    ['`from`, of which the parent is the outcome', withContent({ manifest: { ...level.content.manifest, from: 'x' } })],
  ])('%s does not', (_, changed) => {
    expect(levelDigest(changed, sha256)).toBe(levelDigest(level, sha256))
  })
})

describe('the digest of a build’s inputs', () => {
  const inputs: BuildInputs = {
    tree: 't1',
    chain: ['c1'],
    settings: { type: 'chain', run: ['make'], dependencyFiles: [], dependencyRun: [], args: {} },
  }
  test.each<[string, BuildInputs]>([
    ['tree', { ...inputs, tree: 't2' }],
    ['chain', { ...inputs, chain: ['c2'] }],
    ['run', { ...inputs, settings: { ...inputs.settings, run: ['make all'] } as BuildInputs['settings'] }],
    ['args', { ...inputs, settings: { ...inputs.settings, args: { A: '1' } } }],
    ['type', { ...inputs, settings: { type: 'dockerfile', dockerfile: 'Dockerfile', args: {} } }],
  ])('%s changes it', (_, changed) => {
    expect(buildInputsDigest(changed, sha256)).not.toBe(buildInputsDigest(inputs, sha256))
  })

  test('limits do not', () => {
    const limits = { cpuMilli: 1, memoryBytes: 1, timeoutMs: 1, network: 'none' }
    const settings = { ...inputs.settings, limits } as BuildInputs['settings']
    expect(buildInputsDigest({ ...inputs, settings }, sha256)).toBe(buildInputsDigest(inputs, sha256))
  })
})

describe('canonical JSON', () => {
  test('means the same as the value, whatever the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed())
        expect(canonicalJson(reversed)).toBe(canonicalJson(value))
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})
