import type { BgpSession } from '@berth/core'
import { expect, it } from 'vitest'
import type { BirdProtocol } from './bird-report.ts'
import { SessionWatch } from './session-watch.ts'

const node = (name: string): BgpSession => ({ with: 'node', name, address: '10.0.0.2', as: 64_512 })
const up = (name: string): BirdProtocol => ({
  ...{ name: `node.${name}`, isBgp: true, isUp: true, since: 1_000, state: 'Established' },
})
const down = (name: string, since: number, lastError?: string): BirdProtocol => ({
  ...{ name: `node.${name}`, isBgp: true, isUp: false, since, state: 'Connect' },
  ...(lastError === undefined ? {} : { lastError }),
})

it('tells a session that is down for long, since when it is, and why', () => {
  const watch = new SessionWatch()
  watch.note([node('b')], [down('b', 10_000)], 11_000)
  expect(watch.problems(20_000)).toEqual([])
  // BIRD counts anew with each attempt.
  watch.note([node('b')], [down('b', 24_000, 'Received: Bad peer AS')], 25_000)
  expect(watch.problems(25_000)).toEqual([
    'no BGP session with node b (10.0.0.2) since 1970-01-01T00:00:10Z: Received: Bad peer AS',
  ])
  watch.note([node('b')], [up('b')], 26_000)
  expect(watch.problems(26_000)).toEqual([])
  watch.note([node('b')], [down('b', 27_000)], 27_000)
  expect(watch.problems(28_000)).toEqual([])
})

it('names a few of many, and counts the others', () => {
  const watch = new SessionWatch()
  const names = ['b', 'c', 'd', 'e', 'f', 'g']
  watch.note(
    names.map(node),
    names.map((name) => down(name, 0)),
    60_000,
  )
  expect(watch.problems(60_000)).toHaveLength(5)
  expect(watch.problems(60_000).at(-1)).toBe('2 more BGP sessions are down; see: berth net routes')
})

it('speaks of a router by that word, and forgets a session that is none any more', () => {
  const watch = new SessionWatch()
  watch.note([{ ...node('core'), with: 'peer' }], [], 0)
  expect(watch.problems(60_000)[0]).toContain('no BGP session with router core')
  watch.note([], [], 60_000)
  expect(watch.states).toEqual([])
})
