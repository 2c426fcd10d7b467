import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noPolicy, type PolicyDocument, profileDocument, readProfile } from '@berth/core'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Exec, runCommand } from '../network/run-command.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { PolicyKeeper, type PolicyKeeperOptions } from './policy-keeper.ts'
import { TestNamespace } from './test-namespace.testing.ts'

const log = pino({ level: 'silent' })
const documentOf = (value: unknown) => {
  const { profile } = readProfile(value)
  if (profile === undefined) throw new Error('no profile')
  return profileDocument(profile)
}
const db = documentOf({ name: 'db', inbound: ['tcp:3306 from db-users'] })
const web = documentOf({ name: 'web', tags: ['db-users'] })
const policy: PolicyDocument = {
  profiles: [db, web],
  members: { 'db-users': ['10.77.1.3'], web: [] },
  gateways: ['10.77.9.1'],
}
const instance = (address: string, ...profiles: string[]) => ({ instance: `i-${address}`, address, profiles })
const here = [instance('10.77.1.2', 'db'), instance('10.77.1.3', 'web')] as const

let namespace: TestNamespace
let directory: string
let keeper: PolicyKeeper
let problems: (string | undefined)[]
let inForce: ReadonlyMap<string, readonly string[]>[]
/** What of nft's input makes it fail, as if the kernel refused it. */
let refusedText: string | undefined

const exec: Exec = async (file, args, options) => {
  if (file === 'nft' && refusedText !== undefined && options?.input?.includes(refusedText) === true)
    return {
      code: 1,
      stdout: '',
      stderr: '/dev/stdin:1:1-9: Error: Could not process rule: Operation not supported\nmore',
    }
  return await runCommand('nsenter', [`--net=/proc/${namespace.pid}/ns/net`, file, ...args], options)
}
const open = async (
  checkIntervalMs = 60_000,
  others: NonNullable<PolicyKeeperOptions['others']> = () => [],
): Promise<void> => {
  problems = []
  const path = join(directory, 'policy.json')
  const onProblem = (problem: string | undefined) => problems.push(problem)
  inForce = []
  const onInForce = async (profiles: ReadonlyMap<string, readonly string[]>) => void inForce.push(profiles)
  keeper = new PolicyKeeper({ path, log, exec, checkIntervalMs, others, onProblem, onInForce })
  await keeper.load()
}
const listing = (): string => namespace.run(['nft', '-s', 'list', 'ruleset'])

beforeAll(async () => {
  namespace = await TestNamespace.create()
})
afterAll(() => namespace[Symbol.asyncDispose]())
beforeEach(async () => {
  refusedText = undefined
  directory = mkdtempSync(join(tmpdir(), 'berth-policy-'))
  namespace.nft('flush ruleset\n')
  await open()
})
afterEach(async () => {
  await keeper[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

describe('PolicyKeeper', () => {
  it('puts in force what it is told, for the instances that are here, and changes members by themselves', async () => {
    keeper.setInstances(here)
    keeper.start()
    keeper.take(policy)
    await keeper.ready(here[0])
    expect(listing()).toContain('10.77.1.2 : jump inbound/db')
    expect(listing()).toMatch(/set tag\/db-users \{\s+type ipv4_addr\s+elements = \{ 10.77.1.3 \}/)
    keeper.change({ 'db-users': { put: ['10.77.2.8', '10.77.2.9'], gone: ['10.77.1.3'] } })
    await keeper.ready(here[0])
    expect(listing()).toMatch(/elements = \{ 10.77.2.8, 10.77.2.9 \}/)
    keeper.setInstances([])
    await keeper.ready(instance('10.77.1.9'))
    expect(listing()).toBe('')
    expect(problems).toEqual([])
  })

  it('holds the default for addresses of others, and an instance that has one of them to its own profiles', async () => {
    await keeper[Symbol.asyncDispose]()
    let others: readonly string[] = []
    await open(20, () => others.map((address) => ({ address })))
    keeper.setInstances([here[1]])
    keeper.start()
    keeper.take({ ...policy, profiles: [...policy.profiles, documentOf({ name: 'default', inbound: [] })] })
    await keeper.ready(here[1])
    expect(listing()).not.toContain('inbound/default')
    others = ['10.77.1.3', '10.77.1.240']
    await waitUntil('the rules of others', () => listing().includes('10.77.1.240 : jump inbound/default'))
    expect(listing()).toContain('10.77.1.3 : jump inbound/web')
    others = []
    await waitUntil('their end', () => !listing().includes('inbound/default'))
    expect(problems).toEqual([])
  })

  it('closes a container that names a profile which is not there, whatever else it names, until it is', async () => {
    await keeper[Symbol.asyncDispose]()
    const named = { address: '10.77.1.240', profiles: ['web', 'late'] }
    await open(60_000, () => [{ address: '10.77.1.240' }, { address: '10.77.1.241' }, named])
    keeper.start()
    expect(keeper.whyClosed(named.address, named.profiles)).toBe('no server has told this node of them yet')
    keeper.take({ ...policy, profiles: [...policy.profiles, documentOf({ name: 'default', inbound: [] })] })
    await waitUntil('its rules', () => keeper.whyClosed(named.address, named.profiles) === undefined)
    expect(listing()).toContain('10.77.1.240 : jump inbound/late')
    expect(listing()).toContain('10.77.1.241 : jump inbound/default')
    expect(listing()).toMatch(
      /chain outbound\/late \{\s+counter name "no-rule-out\/late" meta mark set 0x[0-9a-f]+ goto dropped/,
    )
    const told = () => inForce.at(-1)?.get(named.address)?.join()
    await waitUntil('the word of it', () => told() === 'late')
    keeper.take({ ...policy, profiles: [...policy.profiles, documentOf({ name: 'late' })] })
    await waitUntil('the rules of both', () => listing().includes('10.77.1.240 : jump inbound/web/late'))
    await waitUntil('the word of both', () => told() === 'web,late')
    expect(problems).toEqual([])
  })

  it('lets an instance start once its rules are in force, and one without rules at once', async () => {
    keeper.start()
    keeper.setInstances(here)
    await keeper.ready(instance('10.77.1.9'))
    await expect(keeper.ready(here[0])).rejects.toMatchObject({ code: 'policy.not-in-force', retryable: true })
    keeper.take(policy)
    await keeper.ready(here[0])
    await expect(keeper.ready(instance('10.77.1.7', 'db'))).rejects.toMatchObject({ code: 'policy.not-in-force' })
  })

  it('holds the default profile for who names none, and closes who names one that is not there', async () => {
    keeper.setInstances([instance('10.77.1.4'), instance('10.77.1.5', 'gone')])
    keeper.start()
    keeper.take({ ...policy, profiles: [documentOf({ name: 'default', inbound: [] })] })
    await keeper.ready(instance('10.77.1.4'))
    expect(listing()).toContain('10.77.1.4 : jump inbound/default')
    expect(listing()).toMatch(
      /chain inbound\/gone \{\s+counter name "no-rule-in\/gone" meta mark set 0x[0-9a-f]+ goto dropped/,
    )
    keeper.take(noPolicy)
    keeper.setInstances([instance('10.77.1.4')])
    await keeper.ready(instance('10.77.1.4'))
    expect(listing()).toBe('')
  })

  it('mends what somebody else has changed, and leaves what is not ours', async () => {
    await keeper[Symbol.asyncDispose]()
    await open(20)
    namespace.nft('add table inet other\n')
    keeper.setInstances(here)
    keeper.start()
    keeper.take(policy)
    await keeper.ready(here[0])
    const before = listing()
    for (const damage of [
      'delete table inet berth-policy',
      'flush chain inet berth-policy profile-in/db',
      'delete element inet berth-policy from { 10.77.1.2 }',
      'add element inet berth-policy tag/db-users { 192.0.2.1 }',
    ]) {
      namespace.nft(`${damage}\n`)
      await waitUntil(`the end of: ${damage}`, () => listing() === before, 10_000, listing)
    }
  })

  it('finds the profile that is refused, closes who has it, and keeps the others in force', async () => {
    refusedText = 'add rule inet berth-policy profile-in/db'
    keeper.setInstances(here)
    keeper.start()
    keeper.take(policy)
    await keeper.ready(here[0])
    expect(listing()).toMatch(
      /chain inbound\/db \{\s+counter name "no-rule-in\/db" meta mark set 0x[0-9a-f]+ goto dropped/,
    )
    expect(listing()).toMatch(/chain inbound\/web \{\s+jump profile-in\/web/)
    expect(problems).toEqual([
      expect.stringMatching(
        /^profile db cannot be put in force .*Operation not supported\); instances that have it are closed$/,
      ),
    ])
    refusedText = undefined
    keeper.take({ ...policy, profiles: [documentOf({ name: 'db', inbound: ['tcp:3307 from db-users'] }), web] })
    await keeper.ready(here[1])
    await waitUntil('the new rule', () => listing().includes('tcp dport 3307'), 10_000)
    expect(problems.at(-1)).toBeUndefined()
  })

  it('keeps the last good state when nothing goes any more', async () => {
    keeper.setInstances(here)
    keeper.start()
    keeper.take(policy)
    await keeper.ready(here[0])
    const before = listing()
    refusedText = 'inet berth-policy'
    keeper.setInstances([...here, instance('10.77.1.6', 'db')])
    await expect(keeper.ready(instance('10.77.1.6', 'db'))).rejects.toThrow('Operation not supported')
    await keeper.ready(here[0])
    expect(listing()).toBe(before)
    expect(problems.at(-1)).toContain('those from before stay in force')
  })

  it('knows everything again after a restart without a server, and touches nothing when its file is damaged', async () => {
    keeper.setInstances(here)
    keeper.start()
    keeper.take(policy)
    await keeper.ready(here[0])
    const before = listing()
    await keeper[Symbol.asyncDispose]()
    namespace.nft('flush ruleset\n')
    await open()
    keeper.setInstances(here)
    keeper.start()
    await keeper.ready(here[0])
    expect(listing()).toBe(before)
    await keeper[Symbol.asyncDispose]()
    writeFileSync(join(directory, 'policy.json'), 'x')
    await open()
    keeper.setInstances(here)
    keeper.start()
    await expect(keeper.ready(here[0])).rejects.toThrow('no server has told')
    expect(listing()).toBe(before)
  })
})
