import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PolicyDocument, type ProfileDocument, profileDocument, readProfile } from '@berth/core'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from '../network/run-command.ts'
import { PacketRange, packetKey } from './packet-range.testing.ts'
import { PolicyKeeper } from './policy-keeper.ts'

const documentOf = (value: unknown): ProfileDocument => {
  const { profile } = readProfile(value)
  if (profile === undefined) throw new Error('no profile')
  return profileDocument(profile)
}
const [client, database] = ['10.77.2.2', '10.77.1.2']
const here = [{ instance: 'db-1', address: database, profiles: ['db'] }]
const policyWith = (...inbound: string[]): PolicyDocument => ({
  profiles: [documentOf({ name: 'db', inbound })],
  members: { clients: [client] },
  gateways: [],
})
let nextPort = 20_000
const packet = (destinationPort: number, protocol = 'udp') => {
  nextPort += 1
  return { source: client, destination: database, protocol, destinationPort, sourcePort: nextPort }
}

let range: PacketRange
let keeper: PolicyKeeper
let directory: string
beforeAll(async () => {
  range = await PacketRange.create([client])
})
afterAll(() => range[Symbol.asyncDispose]())
beforeEach(() => {
  range.router.nft('flush ruleset\n')
  directory = mkdtempSync(join(tmpdir(), 'berth-counts-'))
  keeper = new PolicyKeeper({
    ...{ path: join(directory, 'policy.json'), log: pino({ level: 'silent' }), checkIntervalMs: 50 },
    onProblem: () => undefined,
    exec: (file, args, options) => runCommand(...range.router.inside(file, ...args), options),
  })
  keeper.setInstances(here)
  keeper.start()
})
afterEach(async () => {
  await keeper[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function inForce(policy: PolicyDocument): Promise<void> {
  keeper.take(policy)
  await keeper.ready(here[0] as (typeof here)[number])
}

async function send(allowed: readonly ReturnType<typeof packet>[], dropped: readonly ReturnType<typeof packet>[]) {
  const expected = new Set(allowed.map(packetKey))
  expect(await range.send([...allowed, ...dropped], expected)).toEqual(expected)
}

async function packetsOf(): Promise<Record<string, number>> {
  const { rules } = await keeper.counts({ profile: 'db' })
  return Object.fromEntries(rules.map(({ end, rule, packets }) => [`${end} ${rule ?? 'none'}`, packets]))
}

describe('what the kernel has counted', () => {
  it('is told by rule, and stays when other rules come and go', async () => {
    await inForce(policyWith('udp:53 from clients', 'udp:54', 'deny udp:55'))
    await send([packet(53), packet(53), packet(54)], [packet(55), packet(56)])
    const first = await keeper.counts({ profile: 'db' })
    expect(await packetsOf()).toEqual({
      ...{ 'in udp:53 from clients': 2, 'in udp:54': 1, 'in deny udp:55': 1, 'in none': 1 },
      ...{ 'out allow': 0, 'out none': 0 },
    })
    expect(first.rules).toContainEqual(expect.objectContaining({ profile: 'db', number: 3, rule: 'deny udp:55' }))
    expect(await keeper.counts({ profile: 'other' })).toEqual({ since: first.since, rules: [] })
    await inForce(policyWith('deny udp:77', 'udp:54', 'udp:53 from clients'))
    await send([packet(53)], [packet(77)])
    expect(await packetsOf()).toMatchObject({
      ...{ 'in deny udp:77': 1, 'in udp:54': 1, 'in udp:53 from clients': 3, 'in none': 1 },
    })
    expect(await packetsOf()).not.toHaveProperty('in deny udp:55')
    expect((await keeper.counts({})).since).toBe(first.since)
  })

  it('is nothing where no instance has a profile', async () => {
    keeper.setInstances([])
    keeper.take(policyWith())
    await keeper.ready({ instance: 'free-1', address: '10.77.1.9', profiles: [] })
    expect(await keeper.counts({})).toEqual({ rules: [] })
    expect(await keeper.drops({})).toEqual({ isFull: false, drops: [] })
  })
})

describe('what was dropped', () => {
  it('is told with who did it, and is no reason to make the table anew', async () => {
    await inForce(policyWith('deny udp:55', 'udp:53'))
    const { since } = await keeper.counts({})
    await send([packet(53)], [packet(55), packet(55), packet(99)])
    const { drops, isFull } = await keeper.drops({})
    expect(isFull).toBe(false)
    const ends = { source: client, destination: database, protocol: 'udp' }
    expect(drops.toSorted((a, b) => (a.port ?? 0) - (b.port ?? 0))).toMatchObject([
      { ...ends, port: 55, packets: 2, by: { end: 'in', profile: 'db', number: 1, rule: 'deny udp:55' } },
      { ...ends, port: 99, packets: 1, by: { end: 'in', profiles: ['db'] } },
    ])
    for (const { at } of drops) expect(Math.abs(Date.now() - at)).toBeLessThan(120_000)
    // Several looks at the kernel later.
    for (let port = 100; port < 105; port += 1) await send([packet(53)], [packet(port)])
    expect((await keeper.counts({})).since).toBe(since)
    await inForce(policyWith('udp:53'))
    const later = await keeper.drops({})
    expect(later.drops.find(({ port }) => port === 55)).not.toHaveProperty('by')
    expect(later.drops).toHaveLength(7)
  })

  it('is bounded: more is dropped, and counted, but not noted', { timeout: 60_000 }, async () => {
    await inForce(policyWith())
    for (let part = 0; part < 5; part += 1) {
      const packets = Array.from({ length: 1000 }, (_, index) => packet(1 + part * 1000 + index))
      await send([], packets)
    }
    const { drops, isFull } = await keeper.drops({})
    expect(isFull).toBe(true)
    expect(drops).toHaveLength(4096)
    expect(await packetsOf()).toMatchObject({ 'in none': 5000 })
  })
})
