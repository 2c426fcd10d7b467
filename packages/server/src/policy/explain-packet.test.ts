import type { NodeStatus } from '@berth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { byHandProblems } from '../views/by-hand-problems.ts'
import { explainPacket, type PacketQuestion } from './explain-packet.ts'
import { Profiles } from './profiles.ts'

let cluster: TestCluster
const call = { actor: 'test' }
const explain = (question: PacketQuestion) => explainPacket(cluster.state, question)

beforeAll(async () => {
  cluster = await TestCluster.start()
  const profiles = new Profiles(cluster.records)
  await profiles.put('web', { tags: ['web', 'db-users'], inbound: [] }, {}, call)
  await profiles.put('db', { inbound: ['tcp:5432 from db-users'], outbound: [] }, {}, call)
  const sql = { name: 'sql', port: 5432, protocol: 'tcp' as const }
  cluster.commits.set(
    'c1',
    testSpec({ web: { profiles: ['web'], ports: [] }, db: { profiles: ['db'], ports: [sql] }, free: {} }),
  )
  await cluster.deploy('c1')
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe('explainPacket', () => {
  it('names the rules that decide on both ends', () => {
    const found = explain({ from: 'shop/web', to: 'shop/production/db' })
    expect(found).toMatchObject({
      ...{ allowed: true, protocol: 'tcp', port: 5432 },
      from: { name: 'shop.production.web-1', node: 'node-a', profiles: ['web'] },
      outbound: { allowed: true, reason: 'rule', profile: 'web', number: 1, rule: 'allow' },
      inbound: { allowed: true, reason: 'rule', profile: 'db', number: 1, rule: 'tcp:5432 from db-users' },
    })
    expect(found.inbound.message).toBe('inbound rule 1 of profile db allows it: tcp:5432 from db-users')
  })

  it.each<[string, PacketQuestion, boolean, string, string]>([
    ['back', { from: 'shop/db', to: 'shop/web', port: 80 }, false, 'no-rule', 'no-rule'],
    ['by the instance’s name', { from: 'shop.production.free-1', to: 'shop/db' }, false, 'no-profile', 'no-rule'],
    ['to one without a profile', { from: 'shop/web', to: 'shop/free' }, true, 'rule', 'no-profile'],
    ['by its short name', { from: 'web-1', to: 'shop/free-1', port: 80 }, true, 'rule', 'no-profile'],
    ['a ping', { from: 'shop/web', to: 'shop/free', protocol: 'icmp' }, true, 'rule', 'no-profile'],
    ['its own node', { from: '10.77.1.1', to: 'shop/db' }, true, 'no-instance', 'own-node'],
    ['from outside', { from: '192.0.2.1', to: 'shop/db' }, false, 'no-instance', 'no-rule'],
    [
      'the resolver',
      { from: 'shop/db', to: '169.254.77.53', protocol: 'udp', port: 53 },
      true,
      'resolver',
      'no-instance',
    ],
  ])('%s', (_, question, allowed, outbound, inbound) => {
    expect(explain(question)).toMatchObject({ allowed, outbound: { reason: outbound }, inbound: { reason: inbound } })
  })

  it('is asked between addresses of IPv6 too, where both ends have one', async () => {
    const question = { from: 'shop/web', to: 'shop/db' } as const
    expect(() => explain({ ...question, family: 6 })).toThrow('shop.production.web-1 has no address of IPv6')
    const pool = { name: 'default', range: '10.77.0.0/16', blockPrefix: 24, sites: [], groups: [], natOutgoing: true }
    await cluster.records.commit('system:test', (tx) =>
      tx.put('addressPools', { ...pool, disabled: false, ipv6: 'fd77:1::/64', updatedAt: 1, updatedBy: 'test' }),
    )
    expect(explain(question).from.address).not.toContain(':')
    expect(explain({ ...question, family: 6 })).toMatchObject({
      allowed: true,
      from: { name: 'shop.production.web-1', address: expect.stringMatching(/^fd77:1::/) },
      inbound: { rule: 'tcp:5432 from db-users' },
    })
    expect(explain({ ...question, family: 6, protocol: 'icmp' })).toMatchObject({ allowed: false, protocol: 'icmpv6' })
    const between6 = { from: '2001:db8::1', to: '2001:db8::2', port: 80 }
    expect(() => explain({ ...between6, family: 4 })).toThrow('2001:db8::1 has no address of IPv4')
    expect(() => explain({ from: 'shop/web', to: 'outside' })).toThrow('outside is not one address')
  })

  it('has the default hold for who is started by hand on a routed node', async () => {
    const profiles = new Profiles(cluster.records)
    await cluster.addNode('node-r', '10.77.9.0/24', { network: { driver: 'routed' } })
    const question = { from: '10.77.9.240', to: '10.77.9.241', port: 80 }
    expect(explain(question)).toMatchObject({ allowed: true, outbound: { reason: 'no-profile' } })
    await profiles.put('default', { inbound: ['tcp:80 from default'] }, {}, call)
    expect(explain(question)).toMatchObject({
      ...{ allowed: true, to: { node: 'node-r', profiles: ['default'] } },
      inbound: { reason: 'rule', profile: 'default' },
    })
    expect(explain({ ...question, to: '10.77.9.7' })).toMatchObject({ inbound: { reason: 'no-instance' } })
    await profiles.remove('default', {}, call)
  })

  it('says of a container that names profiles what these say, and why nothing passes while they are not there or not in force', async () => {
    const ask = async (byHand: NodeStatus['byHand']) => {
      await cluster.addNode('node-r', '10.77.9.0/24', { network: { driver: 'routed' }, ...(byHand && { byHand }) })
      const { allowed, outbound, from } = explain({ from: '10.77.9.240', to: 'shop/db' })
      return { allowed, outbound, from }
    }
    expect(await ask([{ address: '10.77.9.240', profiles: ['web'] }])).toMatchObject({
      ...{ allowed: true, from: { node: 'node-r', profiles: ['web'] } },
      outbound: { reason: 'rule', profile: 'web' },
    })
    const node = () => {
      const found = cluster.state.nodes.get('node-r')
      return found === undefined ? [] : byHandProblems(cluster.state, found)
    }
    expect(node()).toEqual([])
    expect(await ask([{ address: '10.77.9.240', profiles: ['web', 'dbx'] }])).toMatchObject({
      allowed: false,
      outbound: { reason: 'no-rule', message: '10.77.9.240 is closed: there is no profile dbx, which it names' },
    })
    expect(node()).toEqual([
      'the container at 10.77.9.240, which was started by hand, is closed: there is no profile dbx, which it names (did you mean db?)',
    ])
    const closed = 'no server has told this node of them yet'
    expect(await ask([{ address: '10.77.9.240', profiles: ['web'], closed }])).toMatchObject({
      allowed: false,
      outbound: { reason: 'closed', message: `10.77.9.240 is closed, its profiles are not in force: ${closed}` },
    })
    expect(node()).toEqual([expect.stringContaining(`is closed, its profiles are not in force: ${closed}`)])
    // What passes whatever the rules are passes all the same.
    expect(explain({ from: '10.77.9.240', to: '169.254.77.53', protocol: 'udp', port: 53 })).toMatchObject({
      outbound: { allowed: true, reason: 'resolver' },
    })
    await ask([])
  })

  it('says what is missing in a question', () => {
    expect(() => explain({ from: 'shop', to: 'shop/db' })).toThrow(/name an instance, APP\/ENTRYPOINT/)
    expect(() => explain({ from: 'shop/none', to: 'shop/db' })).toThrow(/no instance of shop\/none; see: berth ps shop/)
    expect(() => explain({ from: 'shop/db', to: 'shop/web' })).toThrow(/declares no tcp port/)
  })
})
