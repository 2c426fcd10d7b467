import { expect, it } from 'vitest'
import { type BirdConfigInput, renderBirdConfig, sessionName } from './bgp-config.ts'
import { type BirdConfig6, changesChannels, hopAddressOf } from './bgp-config6.ts'

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

const ipv6: BirdConfig6 = {
  ...{ pools: ['fd77:1::a4d:0/112'], blocks: ['fd77:1::a4d:100/120'], away: [], source: 'fd77:1::a4d:101' },
  neighbours: [{ address: '10.0.0.2', via: 'fe80::be:a00:2', device: 'eth0' }],
}

it('tells addresses of IPv6 over the same sessions, by a next hop that each neighbour knows', () => {
  expect(hopAddressOf('10.0.0.1')).toBe('fd62:6572:7468::a00:1')
  const text = renderBirdConfig({ ...input, ipv6 })
  expect(lineOf(text, 'protocol static hops6')).toContain(
    "route fd62:6572:7468::/96 unreachable; route fd62:6572:7468::a00:2/128 via fe80::be:a00:2%'eth0';",
  )
  expect(lineOf(text, 'filter to_node6')).toBe(
    'filter to_node6 { if proto = "own6" then { bgp_next_hop = fd62:6572:7468::a00:1; accept; } reject; }',
  )
  // No router could send there.
  expect(lineOf(text, 'filter to_peer6')).toBe('filter to_peer6 { reject; }')
  expect(text.match(/^ {2}ipv6 \{ igp table hostnets6; /gm)).toHaveLength(2)
  const lines = text.split('\n')
  const missing = renderBirdConfig(input)
    .split('\n')
    .filter((line) => !lines.includes(line))
  expect(missing).toEqual(['filter from_node6 { reject; }', 'filter to_node6 { reject; }'])
})

it('has sessions with nodes carry IPv6 in any case, so that none is begun anew when pools have it; those with routers only then', () => {
  const [without, with6] = [input, { ...input, ipv6 }].map(renderBirdConfig) as [string, string]
  expect(changesChannels(without, with6)).toBe(true)
  expect(changesChannels(with6, without)).toBe(true)
  const nodes = { ...input, routing: { ...input.routing, sessions: input.routing.sessions.slice(0, 1) } }
  const [alone, alone6] = [nodes, { ...nodes, ipv6 }].map(renderBirdConfig) as [string, string]
  expect(changesChannels(alone, alone6)).toBe(false)
  // A session that comes or goes is none that changes.
  expect(changesChannels(alone, with6)).toBe(false)
  expect(changesChannels(with6, alone)).toBe(false)
  // Of a version before.
  const before = alone.split('\n').filter((line) => !line.startsWith('  ipv6'))
  expect(changesChannels(before.join('\n'), alone)).toBe(true)
})

it('says an address of IPv6 of its own where the node has one, to routers too, and changes nothing but filters for it', () => {
  const lines = (more: Partial<BirdConfig6>, reflects = false): string[] =>
    renderBirdConfig({ ...input, routing: { ...input.routing, reflects }, ipv6: { ...ipv6, ...more } }).split('\n')
  const [without, own] = [lines({}), lines({ address: '2001:db8::1' }, true)]
  const filters = own.filter((line) => !without.includes(line))
  expect(filters.every((line) => line.startsWith('filter to_'))).toBe(true)
  expect(filters).toContain(
    'filter to_peer6 { if proto = "own6" then { bgp_next_hop = 2001:db8::1; accept; } if source = RTS_BGP && net ~ [ fd77:1::a4d:0/112+ ] then { bgp_path.prepend(64512); accept; } reject; }',
  )
})

it.each([
  ['a pool', { pools: ['fd77::/64 ]; }'] }],
  ['a block', { blocks: ['fd77::/64 blackhole; route ::/0'] }],
  ['an address elsewhere', { away: ['::/0 ] then'] }],
  ['a source', { source: 'fd77::1; accept' }],
  ['an address of its own', { address: '2001:db8::1; accept' }],
  ['a way', { neighbours: [{ address: '10.0.0.2', via: "fe80::1%'x'", device: 'eth0' }] }],
  ['a neighbour', { neighbours: [{ address: '10.0.0.2; ', via: 'fe80::1', device: 'eth0' }] }],
  ['a link', { neighbours: [{ address: '10.0.0.2', via: 'fe80::1', device: "eth0'; x" }] }],
])('throws rather than print %s of IPv6 that is none', (_, change) => {
  expect(() => renderBirdConfig({ ...input, ipv6: { ...ipv6, ...change } })).toThrow()
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
