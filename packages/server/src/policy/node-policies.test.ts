import { type NodeStatus, noPolicy, profileDocument, readProfile } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FeedLine } from '../agents/node-feed.ts'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { Profiles } from './profiles.ts'

const call = { actor: 'test' }
const shop = { app: 'shop', pool: 'production' }

let cluster: TestCluster
let profiles: Profiles
let lines: FeedLine[]

const documentOf = (value: unknown) => {
  const { profile } = readProfile(value)
  if (profile === undefined) throw new Error('no profile')
  return profileDocument(profile)
}
const put = (name: string, value: object) => profiles.put(name, value, {}, call)
const policy = (node = 'node-a') => cluster.feed.snapshot(node).policy
const ofType = <T extends FeedLine['type']>(type: T) =>
  lines.filter((line) => line.type === type) as Extract<FeedLine, { type: T }>[]
const addressesOf = (entrypoint: string) =>
  cluster.state.instances.all().flatMap((each) => (each.entrypoint === entrypoint ? [each.address ?? ''] : []))

beforeEach(async () => {
  cluster = await TestCluster.start()
  profiles = new Profiles(cluster.records)
  lines = []
  cluster.feed.subscribe('node-a', (line) => lines.push(line))
  cluster.commits.set('c1', testSpec({ web: { profiles: ['web'] }, db: { profiles: ['db'] }, free: {} }))
})
afterEach(() => cluster[Symbol.asyncDispose]())

const webAndDb = async (): Promise<void> => {
  await put('web', { tags: ['web', 'db-users'] })
  await put('db', { inbound: ['tcp:5432 from db-users'] })
}

describe('what nodes are told', () => {
  it('is nothing without profiles, whatever runs', async () => {
    cluster.commits.set('c0', testSpec({ web: {} }))
    await cluster.deploy('c0')
    expect(policy()).toEqual(noPolicy)
    expect([...ofType('policy'), ...ofType('members')]).toEqual([])
  })

  it('are the profiles of their instances and who bears the tags that these mention', async () => {
    await webAndDb()
    await put('unused', {})
    await cluster.deploy('c1')
    expect(policy()).toEqual({
      profiles: [
        documentOf({ name: 'db', inbound: ['tcp:5432 from db-users'] }),
        documentOf({ name: 'web', tags: ['db-users', 'web'] }),
      ],
      members: { 'db-users': addressesOf('web'), web: addressesOf('web') },
      gateways: ['127.0.0.1', '10.77.1.1'],
    })
    await cluster.until('the word', () => ofType('policy').at(-1)?.policy.profiles.length === 2)
    await cluster.addNode('node-b', '10.77.2.0/24')
    expect(policy('node-b')).toEqual(noPolicy)
  })

  it('is then what changes: members alone, as they come and go', async () => {
    await webAndDb()
    await cluster.deploy('c1')
    await cluster.until('the word', () => ofType('policy').length > 0)
    lines.length = 0
    await cluster.operations.scale({ ...shop, replicas: { web: 3 }, dryRun: false }, call)
    await cluster.until('three', () => addressesOf('web').filter((each) => each !== '').length === 3)
    await cluster.until(
      'the word',
      () => ofType('members').flatMap(({ members }) => members['db-users']?.put ?? []).length === 2,
    )
    await cluster.operations.scale({ ...shop, replicas: { web: 1 }, dryRun: false }, call)
    await cluster.until(
      'the end',
      () => ofType('members').flatMap(({ members }) => members['db-users']?.gone ?? []).length === 2,
    )
    expect(policy()?.members['db-users']).toEqual(addressesOf('web'))
    expect(ofType('policy')).toEqual([])
  })

  it('is a changed profile at once, with tags that it takes from somebody', async () => {
    await webAndDb()
    await cluster.deploy('c1')
    await cluster.until('the word', () => ofType('policy').length > 0)
    lines.length = 0
    await put('web', { tags: ['web'] })
    await cluster.until('the word', () => ofType('policy').length === 1)
    expect(ofType('policy')[0]?.policy.members).toEqual({ 'db-users': [], web: addressesOf('web') })
  })

  it('is the default profile on every node, once there is one', async () => {
    await webAndDb()
    await cluster.deploy('c1')
    await cluster.addNode('node-b', '10.77.2.0/24')
    await put('default', { inbound: ['from default'] })
    expect(policy('node-b')?.profiles.map(({ id }) => id)).toEqual(['default'])
    expect(policy('node-a')?.members.default).toEqual(addressesOf('free'))
    await profiles.remove('default', {}, call)
    expect(policy('node-b')).toEqual(noPolicy)
  })

  it('is of the default’s tags also who is started by hand on a routed node, as long as it is one', async () => {
    /** As the node knows it that was told of each line. */
    const told = (): string[] => {
      let known = new Set<string>()
      for (const line of lines) {
        if (line.type === 'policy') known = new Set(line.policy.members.default)
        if (line.type !== 'members') continue
        for (const each of line.members.default?.put ?? []) known.add(each)
        for (const each of line.members.default?.gone ?? []) known.delete(each)
      }
      return [...known]
    }
    await put('default', { inbound: ['from default'] })
    const byHand = Array.from({ length: 16 }, (_, index) => `10.77.2.${239 + index}`)
    await cluster.addNode('node-b', '10.77.2.0/24')
    expect(policy()?.members).toEqual({ default: [] })
    await cluster.addNode('node-b', '10.77.2.0/24', { network: { driver: 'routed' } })
    expect(policy()?.members).toEqual({ default: byHand })
    await cluster.until('the word', () => told().join() === byHand.join())
    await cluster.addNode('node-b', '10.77.2.0/24', { network: { driver: 'bridge' } })
    await cluster.until('the end', () => told().length === 0)
    await cluster.addNode('node-b', '10.77.2.0/24', { network: { driver: 'routed' } })
    await put('default', { tags: ['others'], inbound: ['from others'] })
    expect(policy()?.members).toEqual({ others: byHand })
    await profiles.remove('default', {}, call)
    expect(policy()).toEqual(noPolicy)
  })
})

describe('containers that were started by hand and name profiles', () => {
  const say = (byHand: NodeStatus['byHand']) =>
    cluster.addNode('node-b', '10.77.2.0/24', { network: { driver: 'routed' }, ...(byHand && { byHand }) })

  it('bear their tags everywhere, and their node is told these profiles', async () => {
    await webAndDb()
    await cluster.deploy('c1')
    await say([{ address: '10.77.2.240', profiles: ['web'] }])
    expect(policy('node-b')?.profiles.map(({ id }) => id)).toEqual(['web'])
    const both = [...addressesOf('web'), '10.77.2.240']
    expect(policy()?.members).toEqual({ 'db-users': both, web: both })
    await cluster.until('the word', () => lines.some((line) => JSON.stringify(line).includes('10.77.2.240')))
    await say([])
    expect(policy()?.members['db-users']).toEqual(addressesOf('web'))
    expect(policy('node-b')).toEqual(noPolicy)
  })

  it('bear none while one of their profiles is not there; the default is for who names none', async () => {
    await put('default', { inbound: ['from default'] })
    await put('web', { tags: ['web', 'db-users'] })
    await put('db', { inbound: ['tcp:5432 from db-users'] })
    await cluster.deploy('c1')
    await say([{ address: '10.77.2.240', profiles: ['web', 'late'] }])
    expect(policy()?.members['db-users']).toEqual(addressesOf('web'))
    expect(policy()?.members.default).not.toContain('10.77.2.240')
    expect(policy()?.members.default).toContain('10.77.2.241')
    await put('late', {})
    expect(policy()?.members['db-users']).toEqual([...addressesOf('web'), '10.77.2.240'])
    expect(policy('node-b')?.profiles.map(({ id }) => id)).toEqual(['default', 'late', 'web'])
    await put('web', { tags: ['web'] })
    expect(policy()?.members['db-users']).toEqual([])
  })

  it('keep their profiles from being removed', async () => {
    await put('web', {})
    await say([{ address: '10.77.2.240', profiles: ['web'] }])
    await expect(profiles.remove('web', {}, call)).rejects.toMatchObject({
      code: 'profile.in-use',
      details: { users: ['10.77.2.240 on node-b'] },
    })
    await say([])
    await profiles.remove('web', {}, call)
  })

  it('have addresses of their node alone, whatever it says', async () => {
    await webAndDb()
    await cluster.deploy('c1')
    await say([
      { address: '10.77.1.240', profiles: ['web'] },
      { address: '10.77.2.7', profiles: ['web'] },
    ])
    expect(policy()?.members['db-users']).toEqual(addressesOf('web'))
    await cluster.addNode('node-b', '10.77.2.0/24', {
      network: { driver: 'bridge' },
      byHand: [{ address: '10.77.2.240', profiles: ['web'] }],
    })
    expect(policy()?.members['db-users']).toEqual(addressesOf('web'))
  })
})

describe('deploys', () => {
  it('are refused for a profile that is not there, with the nearest that is', async () => {
    await put('web', {})
    await put('dbs', {})
    await expect(
      cluster.operations.deploy({ ...shop, ref: 'c1', force: false, repository: '/repo' }, call),
    ).rejects.toMatchObject({
      code: 'release.not-deployable',
      message: expect.stringContaining('no security profile db (did you mean dbs?)'),
    })
  })
})

describe('profiles', () => {
  it('have versions, and are changed only from the one that was meant', async () => {
    expect(await profiles.put('db', {}, { version: 0 }, call)).toMatchObject({ version: 1 })
    expect(await put('db', {})).toMatchObject({ version: 1 })
    expect(await put('db', { inbound: [] })).toMatchObject({ version: 2 })
    await expect(profiles.put('db', {}, { version: 1 }, call)).rejects.toMatchObject({ code: 'profile.changed' })
    await expect(profiles.put('db', {}, { version: 0 }, call)).rejects.toMatchObject({ code: 'profile.changed' })
    await expect(profiles.remove('db', { version: 1 }, call)).rejects.toMatchObject({ code: 'profile.changed' })
    await profiles.remove('db', { version: 2 }, call)
    await expect(profiles.remove('db', {}, call)).rejects.toMatchObject({ code: 'profile.not-found' })
    const said = cluster.state.events.all().map(({ type }) => type)
    expect(said.filter((type) => type.startsWith('profile.'))).toEqual([
      'profile.created',
      'profile.updated',
      'profile.removed',
    ])
  })

  it('are refused with every mistake, and stay while somebody names them', async () => {
    await expect(put('db', { inbound_rule: [], tags: ['?'] })).rejects.toMatchObject({
      code: 'profile.invalid',
      details: {
        problems: [{ path: 'inbound_rule', suggestion: 'did you mean "inbound_rules"?' }, { path: 'tags[0]' }],
      },
    })
    await webAndDb()
    await cluster.deploy('c1')
    await expect(profiles.remove('db', {}, call)).rejects.toMatchObject({
      code: 'profile.in-use',
      details: { users: ['shop/production/db'] },
    })
  })
})
