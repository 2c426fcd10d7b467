import { expect, it } from 'vitest'
import { type BirdConfigInput, renderBirdConfig, sessionName } from './bgp-config.ts'

const input: BirdConfigInput = {
  routing: {
    ...{ mode: 'bgp', as: 64_512, address: '10.0.0.1', reflects: false },
    sessions: [
      { with: 'node', name: 'n2', address: '10.0.0.2', as: 64_512 },
      { with: 'peer', name: 'core', address: '10.0.0.254', as: 65_000, password: 'geheim' },
    ],
  },
  pools: ['10.77.0.0/16'],
  blocks: ['10.77.1.0/24'],
  away: [],
  source: '10.77.1.1',
  logPath: '/run/berth/bird/log',
}
const lineOf = (text: string, start: string): string => text.split('\n').find((line) => line.startsWith(start)) ?? ''

it('tells its own block only, unless it passes on what it has learned', () => {
  const text = renderBirdConfig(input)
  expect(lineOf(text, 'filter to_node')).toBe('filter to_node { if proto = "own" then accept; reject; }')
  const passing = renderBirdConfig({ ...input, routing: { ...input.routing, reflects: true } })
  expect(lineOf(passing, 'filter to_node')).toContain('if source = RTS_BGP && net ~ [ 10.77.0.0/16+ ] then accept;')
  expect(lineOf(passing, 'filter to_peer')).toContain('bgp_path.prepend(64512)')
})

it('tells single addresses of others’ blocks that it has, and believes others those of its own that they have', () => {
  const text = renderBirdConfig({ ...input, blocks: ['10.77.1.0/24', '10.77.2.9/32'], away: ['10.77.1.5/32'] })
  expect(text).toContain('route 10.77.1.0/24 blackhole; route 10.77.2.9/32 blackhole;')
  expect(lineOf(text, 'function of_others')).toBe(
    'function of_others() { if net ~ [ 10.77.1.5/32 ] then return true; if net ~ [ 10.77.1.0/24+, 10.77.2.9/32+ ] then return false; return net ~ [ 10.77.0.0/16+ ]; }',
  )
})

it('differs in filters only between one who passes on and one who does not, so that no session is reset', () => {
  const reflects = (yes: boolean): string[] =>
    renderBirdConfig({ ...input, routing: { ...input.routing, reflects: yes } })
      .split('\n')
      .filter((line) => !line.startsWith('filter to_'))
  expect(reflects(true)).toEqual(reflects(false))
})

it('does not depend on the order of sessions', () => {
  const sessions = input.routing.sessions.toReversed()
  expect(renderBirdConfig({ ...input, routing: { ...input.routing, sessions } })).toBe(renderBirdConfig(input))
})

it('names each session, and has a password where there is one', () => {
  const text = renderBirdConfig(input)
  expect(sessionName({ with: 'peer', name: 'core' })).toBe('peer.core')
  expect(text).toContain("protocol bgp 'node.n2' {")
  expect(text.match(/password/g)).toHaveLength(1)
})

it.each([
  ['an address', { routing: { ...input.routing, address: '10.0.0.1; include "/etc/passwd"' } }],
  ['a pool', { pools: ['10.77.0.0/16 ]; }'] }],
  ['a block', { blocks: ['10.77.1.0/24 blackhole; route 0.0.0.0/0'] }],
  ['an address elsewhere', { away: ['10.77.1.5/32 ] then return true; if net ~ [ 0.0.0.0/0'] }],
  ['a source', { source: '1.2.3.4; accept' }],
])('throws rather than print %s that is none', (_, change) => {
  expect(() => renderBirdConfig({ ...input, ...change })).toThrow()
})

it('throws rather than print a password that ends its quotes', () => {
  const sessions = [{ with: 'peer' as const, name: 'core', address: '10.0.0.254', as: 1, password: 'a"; }' }]
  expect(() => renderBirdConfig({ ...input, routing: { ...input.routing, sessions } })).toThrow(TypeError)
})
