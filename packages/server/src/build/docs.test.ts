import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseLevelManifest } from './level-manifest.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const guide = readFileSync(join(root, 'docs/guides/images.md'), 'utf8')
const manifests = [...guide.matchAll(/^```yaml\n(# level\.yaml of (\w+).*\n[\s\S]*?)^```$/gm)]

test.each(manifests.map(([, text = '', name = '']) => [name, text]))(
  'the level %s of the guide is valid',
  (name, text) => {
    const manifest = parseLevelManifest(text, name)
    expect(manifest.from !== undefined || manifest.copy.length > 0).toBe(true)
  },
)

test('the guide shows levels, and names those that ship', () => {
  expect(manifests.length).toBeGreaterThanOrEqual(2)
  for (const name of readdirSync(join(root, 'levels'))) expect(guide).toContain(`\`${name}\``)
})

test.each(readdirSync(join(root, 'levels')))('the shipped level %s is valid', (name) => {
  const text = readFileSync(join(root, 'levels', name, 'level.yaml'), 'utf8')
  expect(parseLevelManifest(text, name).from).toBeDefined()
})
