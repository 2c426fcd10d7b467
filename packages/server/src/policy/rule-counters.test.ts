import type { RuleCounts } from '@berth/api'
import { BerthError } from '@berth/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { Profiles } from './profiles.ts'
import { ruleCounters } from './rule-counters.ts'

let cluster: TestCluster
let profiles: Profiles
const call = { actor: 'test' }
const { signal } = new AbortController()
beforeAll(async () => {
  cluster = await TestCluster.start()
  profiles = new Profiles(cluster.records)
  await profiles.put('db', { inbound: ['tcp:5432 from web', 'deny tcp'], outbound: [] }, {}, call)
  cluster.commits.set('c1', testSpec({ db: { profiles: ['db'] }, free: {} }))
  await cluster.deploy('c1')
})
afterAll(() => cluster[Symbol.asyncDispose]())

/** Agents as they answer. */
const agentsThat = (answer: (node: string, path: string) => RuleCounts | BerthError) => ({
  request: async <T>(node: string, { path }: { readonly path: string }): Promise<T> => {
    const found = answer(node, path)
    if (found instanceof BerthError) throw found
    return found as T
  },
})
const counted = (end: 'in' | 'out', number: number, rule: string, packets: number) => ({
  ...{ end, profile: 'db', number, rule, packets, bytes: packets * 60 },
})

it('sums what nodes say by rule, and by its words when a node has other rules yet', async () => {
  const asked: string[] = []
  const agents = agentsThat((node, path) => {
    asked.push(`${node} ${path}`)
    const noRule = { end: 'in', profiles: ['db'], packets: 7, bytes: 420 } as const
    const rules = [counted('in', 1, 'tcp:5432 from web', 5), counted('in', 2, 'udp', 3), noRule]
    return { since: 1000, rules }
  })
  const view = await ruleCounters(profiles.require('db'), { state: cluster.state, agents, signal })
  const [node = ''] = asked.map((each) => each.split(' ')[0])
  expect(asked).toEqual([`${node} /v1/policy/counts?profile=db`])
  expect(view).toEqual({
    ...{ profile: 'db', nodes: [{ node, since: 1000 }], silent: [] },
    rules: [
      {
        ...{ end: 'in', number: 1, rule: 'tcp:5432 from web', packets: 5, bytes: 300 },
        nodes: [{ node, packets: 5, bytes: 300 }],
      },
      { end: 'in', number: 2, rule: 'deny tcp', packets: 0, bytes: 0, nodes: [] },
      { end: 'in', profiles: ['db'], packets: 7, bytes: 420, nodes: [{ node, packets: 7, bytes: 420 }] },
    ],
  })
})

it.each([
  [new BerthError('node.offline', 'node x is offline'), 'node x is offline'],
  [new BerthError('request.not-found', 'GET … is not known'), 'is of a version before: berth node upgrade'],
])('says who does not answer: %s', async (error, message) => {
  const agents = agentsThat(() => error)
  const view = await ruleCounters(profiles.require('db'), { state: cluster.state, agents, signal })
  expect(view.nodes).toEqual([])
  expect(view.rules.map(({ packets }) => packets)).toEqual([0, 0])
  expect(view.silent).toEqual([{ node: expect.any(String), message: expect.stringContaining(message) }])
})

it('asks nobody where no instance has the profile', async () => {
  await profiles.put('unused', { inbound: [] }, {}, call)
  const agents = agentsThat(() => new BerthError('test.asked', 'asked'))
  const view = await ruleCounters(profiles.require('unused'), { state: cluster.state, agents, signal })
  expect(view).toMatchObject({ nodes: [], silent: [] })
})
