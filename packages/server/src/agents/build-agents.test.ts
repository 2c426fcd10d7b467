import { type Build, defaultGroup } from '@berth/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ImageRemovals } from '../images/image-removals.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import type { AgentLinks } from './agent-links.ts'
import { createBuildAgents } from './build-agents.ts'

let under: RecordsUnderTest
let away: Set<string>

beforeEach(async () => {
  under = await openTemporaryRecords()
  away = new Set()
})
afterEach(() => under[Symbol.asyncDispose]())

const links = { isConnected: (name: string) => !away.has(name) } as unknown as AgentLinks
const pick = (id = 'b-new') => {
  const agents = createBuildAgents(links, under.state, new ImageRemovals(), { loginFor: () => undefined })
  return agents.pickNode({ id, app: 'shop' })
}
const build = (id: string, over: Partial<Build>): Build => ({
  ...{ id, app: 'shop', ref: 'main', state: 'succeeded', createdAt: 1, createdBy: 'ann' },
  ...over,
})
async function setUp(nodes: readonly { readonly name: string; readonly group?: string; readonly build?: boolean }[]) {
  await under.records.commit('system:test', (tx) => {
    tx.create('groups', { ...defaultGroup, name: 'fast', cpu: 'bound' })
    nodes.forEach(({ name, group, build: isBuilder = false }, n) => {
      tx.create('nodes', {
        ...{ name, block: `10.78.${n}.0/24`, schedulable: true, joinedAt: 1 },
        ...{
          address: '127.0.0.1',
          certificateFingerprint: '',
          labels: isBuilder ? { build: 'true' } : {},
          ...(group === undefined ? {} : { group }),
        },
      })
    })
  })
}

it('builds are on nodes of shared groups, and where cores have owners only while no other is connected', async () => {
  await setUp([{ name: 'a', group: 'fast' }, { name: 'b' }, { name: 'c' }])
  expect(pick()).toEqual({ name: 'b', kind: 'shared' })
  away.add('b')
  expect(pick()).toEqual({ name: 'c', kind: 'shared' })
  away.add('c')
  expect(pick()).toEqual({ name: 'a', kind: 'bound' })
  away.add('a')
  expect(() => pick()).toThrow(expect.objectContaining({ code: 'build.no-node', retryable: true }))
})

it('builders come first, and the node of the last build unless another build has it', async () => {
  await setUp([{ name: 'a' }, { name: 'b', group: 'fast', build: true }, { name: 'c', build: true }])
  expect(pick()).toEqual({ name: 'b', kind: 'builder' })
  await under.records.commit('system:test', (tx) => {
    tx.create('builds', build('b-1', { node: 'c' }))
  })
  expect(pick().name).toBe('c')
  await under.records.commit('system:test', (tx) => {
    tx.put('builds', build('b-1', { node: 'c', state: 'running' }))
  })
  expect(pick().name).toBe('b')
  // One that another server takes up again is in nobody's way but its own.
  expect(pick('b-1').name).toBe('c')
})
