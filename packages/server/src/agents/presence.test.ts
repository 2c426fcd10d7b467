import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import type { Records } from '../records/index.ts'
import { nodeStatus } from './agent-peer.testing.ts'
import { type AgentsUnderTest, openAgents } from './agents-under-test.testing.ts'
import { Presence } from './presence.ts'

const silenceMs = 400
let agents: AgentsUnderTest
beforeEach(async () => {
  agents = await openAgents({ silenceMs })
})
afterEach(async () => await agents[Symbol.asyncDispose]())

const stored = () => agents.under.state.nodeStatuses.get('a')
const hello = { type: 'hello' as const, node: nodeStatus('a'), instances: [] }

describe('presence', () => {
  it('is written when a node comes and when it falls silent, not in between', async () => {
    const peer = await agents.dial('a')
    await peer.send(hello)
    await eventually(() => expect(stored()).toMatchObject({ online: true, onlineSince: expect.any(Number) }))
    const { revision } = agents.under.state
    await peer.send({ type: 'node', node: nodeStatus('a', { diskFreeBytes: 50e9 + 1 }) })
    await eventually(() => expect(peer.received.filter((line) => line.type === 'ping').length).toBeGreaterThan(12))
    expect(agents.under.state.revision).toBe(revision)
    peer.answerPings = false
    await eventually(() => expect(stored()?.online).toBe(false))
    expect(stored()?.onlineSince).toBeUndefined()
    await eventually(() => expect(peer.closed).toBe(true))
    expect(agents.online).toEqual(['a on', 'a off'])
    expect(
      agents.under.state.events
        .all()
        .map((event) => event.type)
        .slice(-2),
    ).toEqual(['node.online', 'node.offline'])
  })

  it('tells once that the gateway of a node ended and came back', async () => {
    const peer = await agents.dial('a')
    await peer.send(hello)
    await eventually(() => expect(stored()?.online).toBe(true))
    const told = () => agents.under.state.events.all().filter(({ type }) => type === 'node.gateway-restarted')
    const node = nodeStatus('a', { gatewayRestartedAt: 7 })
    await peer.send({ type: 'node', node })
    await eventually(() => expect(told()).toHaveLength(1))
    expect(told()[0]).toMatchObject({ subject: { node: 'a' }, message: expect.stringContaining('serves again') })
    await peer.send({ ...hello, node: { ...node, agentVersion: '0.2.0' } })
    await eventually(() => expect(stored()?.agentVersion).toBe('0.2.0'))
    expect(told()).toHaveLength(1)
  })

  it('tells once how an upgrade of a node ended', async () => {
    const peer = await agents.dial('a')
    await peer.send(hello)
    await eventually(() => expect(stored()?.online).toBe(true))
    const told = () => agents.under.state.events.all().filter(({ type }) => type.startsWith('node.upgrade'))
    const upgrade = { state: 'switching' as const, from: '0.1.0', to: '0.2.0', at: 7 }
    const back = { ...upgrade, state: 'rolled-back' as const, why: 'it crashed' }
    await peer.send({ type: 'node', node: nodeStatus('a', { upgrade }) })
    await peer.send({ type: 'node', node: nodeStatus('a', { upgrade: back }) })
    await eventually(() => expect(told()).toHaveLength(1))
    const message = expect.stringContaining('its upgrade to 0.2.0 was rolled back: it crashed')
    expect(told()[0]).toMatchObject({ type: 'node.upgrade-rolled-back', subject: { node: 'a' }, message })
    await peer.send({ ...hello, node: nodeStatus('a', { upgrade: back, kernel: 'another' }) })
    await eventually(() => expect(stored()?.kernel).toBe('another'))
    expect(told()).toHaveLength(1)
    await peer.send({ type: 'node', node: nodeStatus('a', { kernel: 'a copy of its disk, without that file' }) })
    await peer.send({ type: 'node', node: nodeStatus('a', { upgrade: back, kernel: 'itself again' }) })
    await eventually(() => expect(stored()?.kernel).toBe('itself again'))
    expect(told()).toHaveLength(1)
    await peer.send({ type: 'node', node: nodeStatus('a', { upgrade: { ...back, state: 'done', at: 8 } }) })
    await eventually(() => expect(told().map(({ type }) => type)).toContain('node.upgraded'))
  })

  it('does not end with an agent that comes back at once', async () => {
    const first = await agents.dial('a')
    await first.send(hello)
    await eventually(() => expect(agents.links.isOnline('a')).toBe(true))
    await first[Symbol.asyncDispose]()
    const second = await agents.dial('a')
    await second.send({ ...hello, node: nodeStatus('a', { agentVersion: '0.2.0' }) })
    await eventually(() => expect(stored()?.agentVersion).toBe('0.2.0'))
    expect(agents.online).toEqual(['a on'])
  })

  it('gives a new link the whole time, whatever the silence of the one before', async () => {
    const before = await agents.dial('a')
    await before.send(hello)
    await eventually(() => expect(stored()?.online).toBe(true))
    before.answerPings = false
    await delay(silenceMs * 0.6)
    const dialledAt = performance.now()
    const peer = await agents.dial('a')
    peer.answerPings = false
    await eventually(() => expect(peer.closed).toBe(true))
    // Timers may be a part of a millisecond early by this clock.
    expect(performance.now() - dialledAt).toBeGreaterThan(silenceMs - 1)
    expect(agents.online).toEqual(['a on', 'a off'])
  })

  it('gives nodes time to dial again after the server’s own start', async () => {
    await agents.join('a')
    await agents.join('b')
    await agents.under.records.commit('system', (tx) => {
      tx.put('nodeStatuses', nodeStatus('a'))
      tx.put('nodeStatuses', nodeStatus('b', { online: false }))
    })
    const changes: string[] = []
    let now = 1_000_000
    const presence = new Presence({
      records: agents.under.records,
      log: pino({ level: 'silent' }),
      signal: new AbortController().signal,
      onChange: (node, online) => changes.push(`${node} ${online}`),
      silenceMs: 10_000,
      now: () => now,
    })
    expect([presence.isOnline('a'), presence.isOnline('b')]).toEqual([true, false])
    now += 9_000
    await eventually(() => expect(presence.isOnline('a')).toBe(true))
    expect(changes).toEqual([])
    await presence.close()
  })

  it('goes on trying to write while the store cannot, says so again after a while, and when it works again', async () => {
    await agents.join('a')
    const { records } = agents.under
    let isFull = true
    const commit: Records['commit'] = (...call) =>
      isFull ? Promise.reject(new Error('the disk is full')) : records.commit(...call)
    const failing = new Proxy(records, { get: (on, key) => (key === 'commit' ? commit : Reflect.get(on, key, on)) })
    const said: string[] = []
    let now = 1_000_000
    const presence = new Presence({
      records: failing,
      log: pino({}, { write: (line) => void said.push(JSON.parse(line).msg) }),
      signal: new AbortController().signal,
      onChange: () => undefined,
      silenceMs: 3_600_000,
      now: () => now,
    })
    presence.describe('a', nodeStatus('a'))
    await eventually(() =>
      expect(said).toEqual([expect.stringContaining('write the state of node a: the disk is full')]),
    )
    now += 60_000
    await eventually(() => expect(said[1]).toBe('write the state of node a, tried for 60 s: the disk is full'))
    isFull = false
    await eventually(() => expect(said[2]).toBe('the state of nodes is written again, after 60 s'))
    await eventually(() => expect(stored()).toMatchObject({ online: true }))
    await presence.close()
  })
})
