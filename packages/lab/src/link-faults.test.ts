import { expect, it } from 'vitest'
import { linkFaultRules, parseCut } from './link-faults.ts'

it('of a link that is well are none: those that there were go', () => {
  for (const faults of [{}, { lossIn: 0, cuts: [] }])
    expect(linkFaultRules('h1', faults)).toBe('table bridge h1\ndelete table bridge h1\n')
})

it('lose so many packets in each direction', () => {
  const rules = linkFaultRules('h1', { lossIn: 12.5, lossOut: 100 })
  expect(rules).toContain('oifname "h1" numgen random mod 1000 < 125 drop')
  expect(rules).toContain('iifname "h1" drop')
})

it('cut one way, one peer and one port, and nothing else', () => {
  const rules = linkFaultRules('h2', { cuts: [{ way: 'out', address: '10.213.1.1', port: 7601 }] })
  const drops = rules.split('\n').filter((line) => line.endsWith('drop'))
  expect(drops).toEqual([
    'iifname "h2" ip daddr 10.213.1.1 tcp dport 7601 drop',
    'iifname "h2" ip daddr 10.213.1.1 tcp sport 7601 drop',
  ])
  expect(linkFaultRules('h2', { cuts: [{}] }).match(/"h2" drop/g)).toHaveLength(2)
})

it.each([
  [{ lossIn: 101 }, 'from 0 to 100'],
  [{ lossOut: Number.NaN }, 'from 0 to 100'],
  [{ cuts: [{ address: 'fe80::1' }] }, 'no IPv4 address'],
  [{ cuts: [{ address: '1.2.3.4; flush ruleset' }] }, 'no IPv4 address'],
  [{ cuts: [{ port: 70_000 }] }, 'no port'],
])('refuse %j', (faults, why) => {
  expect(() => linkFaultRules('h1', faults)).toThrow(why)
})

it('are written in the command line as way, address and port', () => {
  expect(parseCut('out,10.0.0.1:7601')).toEqual({ way: 'out', address: '10.0.0.1', port: 7601 })
  expect(parseCut('10.0.0.1')).toEqual({ address: '10.0.0.1' })
  expect(parseCut('in,:80')).toEqual({ way: 'in', port: 80 })
  for (const text of ['', 'up,10.0.0.1', 'out', '10.0.0.1:x']) expect(() => parseCut(text)).toThrow('--cut')
})
