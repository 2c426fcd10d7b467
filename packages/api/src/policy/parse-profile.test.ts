import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseProfile } from './parse-profile.ts'

it('reads YAML and JSON', () => {
  const yaml =
    'name: db\ninbound:\n  - from db\n  - tcp:3306 from db-users\n  - {src_tag: ops, protocol: tcp, dst_ports: [22, "2048:4000"]}\n'
  const json = JSON.stringify({
    id: 'db',
    inbound_rules: [
      { src_tag: 'db' },
      { src_tag: 'db-users', protocol: 'tcp', dst_ports: ['3306'] },
      { src_tag: 'ops', protocol: 'tcp', dst_ports: ['2048:4000', 22] },
    ],
  })
  const { profile, problems } = parseProfile(yaml)
  expect(problems).toEqual([])
  expect(profile?.name).toBe('db')
  expect(parseProfile(json).profile).toEqual(profile)
})

it('tells where every mistake stands', () => {
  const text = 'name: db\ncolour: red\ninbound:\n  - from db form x\n  - protocol: tcp\n    dst_ports: [0]\n'
  const places = parseProfile(text).problems.map(({ line, column, path }) => [line, column, path])
  expect(places).toEqual([
    [2, 1, 'colour'],
    [4, 5, 'inbound[0]'],
    [6, 17, 'inbound[1].dst_ports[0]'],
  ])
  expect(parseProfile('').problems).toMatchObject([{ message: 'the file is empty' }])
})

it('never throws', () => {
  const words = fc.constantFrom(
    'name',
    ':',
    ' ',
    '\n',
    '- ',
    'from',
    'tcp',
    '{',
    '}',
    '[',
    ']',
    'null',
    '1',
    '*a',
    '&a',
    'inbound',
  )
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), (some) => void parseProfile(some.join(''))),
    { numRuns: 300 },
  )
})

it.each(['docs/guides/profiles.md', 'docs/design/policy.md'])('reads the examples of %s', (path) => {
  const text = readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```(?:yaml|json)\n((?:name:|\{"id")[\s\S]*?)^```$/gm)].map(
    ([, block = '']) => block,
  )
  expect(blocks.length).toBeGreaterThan(1)
  for (const block of blocks) expect(parseProfile(block).problems).toEqual([])
})
