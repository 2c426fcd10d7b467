import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { agentAlpn } from '@berth/api'
import {
  type Assignment,
  describePeers,
  type InstanceStatus,
  type Release,
  type Route,
  type RouteTable,
} from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAuthority, serverName } from '../authority/authority.ts'
import { createRequest } from '../authority/certificate-request.testing.ts'
import { eventually } from '../eventually.testing.ts'
import { instance } from '../records/sample-records.testing.ts'
import { AgentLinks } from './agent-links.ts'
import { AgentPeer, nodeStatus } from './agent-peer.testing.ts'
import { type AgentsUnderTest, openAgents } from './agents-under-test.testing.ts'

let agents: AgentsUnderTest
beforeEach(async () => {
  agents = await openAgents()
})
afterEach(async () => await agents[Symbol.asyncDispose]())

const assign = async (id: string, node: string) =>
  await agents.under.records.commit('system', (tx) => tx.put('instances', instance(id, node)))
const status = (id: string, change: Partial<InstanceStatus> = {}): InstanceStatus => ({
  id,
  node: 'a',
  phase: 'running',
  ready: false,
  restarts: 0,
  ...change,
})
const eventTypes = () =>
  agents.under.state.events
    .all()
    .map((event) => event.type)
    .filter((type) => !type.startsWith('node.token'))
const routesRequest = { method: 'GET', path: '/v1/routes' } as const
const routeTo = (host: string): Route => ({ id: host, host, path: '/', targets: [], tls: 'on', timeoutMs: 1 })
const assignment = (id: string, desired: 'run' | 'stop' = 'run') => ({ instance: id, desired }) as Assignment

describe('the agent port', () => {
  it('lets a node in with the certificate it was given', async () => {
    const peer = await agents.dial('a')
    await eventually(() =>
      expect(peer.received.find(({ type }) => type !== 'ping')).toMatchObject({
        type: 'snapshot',
        network: { block: 'block of a' },
      }),
    )
    expect(agents.links.isConnected('a')).toBe(true)
  })

  it('tells an agent that accepts it what has changed of its peers, and any other the whole network', async () => {
    const peer = await agents.dial('a')
    const change = { type: 'peers' as const, revision: 2, put: [{ node: 'b', block: 'b', via: '1' }], gone: [] }
    await eventually(() => expect(agents.feed.senders.has('a')).toBe(true))
    agents.feed.senders.get('a')?.(change)
    await eventually(() => expect(peer.received.map(({ type }) => type)).toEqual(['snapshot', 'network']))
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [], accepts: ['peers'] })
    await eventually(() => expect(agents.reports.some(([, line]) => line.type === 'hello')).toBe(true))
    agents.feed.senders.get('a')?.(change)
    await eventually(() => expect(peer.received.at(-1)).toEqual(change))
  })

  it('tells an agent that accepts it what has changed of the routes since they were told last, and any other all of them', async () => {
    const peer = await agents.dial('a')
    await eventually(() => expect(agents.feed.senders.has('a')).toBe(true))
    const tell = (table: RouteTable) =>
      agents.feed.senders.get('a')?.({ type: 'routes', revision: table.version, routes: table })
    const [kept, other] = [routeTo('kept'), routeTo('other')]
    tell({ version: 2, routes: [kept], certificates: [] })
    await eventually(() => expect(peer.received.at(-1)).toMatchObject({ type: 'routes', revision: 2 }))
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [], accepts: ['route-changes'] })
    await eventually(() => expect(agents.reports.some(([, line]) => line.type === 'hello')).toBe(true))
    tell({ version: 3, routes: [kept, other], certificates: [] })
    const added = { base: 2, version: 3, put: [other], gone: [], certificates: [] }
    await eventually(() => expect(peer.received.at(-1)).toEqual({ type: 'route-changes', revision: 3, changes: added }))
  })

  it('sends an agent that says what it has of its peers the parts that it lacks after the snapshot, and changes', async () => {
    agents.feed.peerParts = [3, 5]
    const held = describePeers([], (text) => hash('sha256', text))
    const peer = await agents.dial('a', { peers: held })
    await eventually(() =>
      expect(peer.received.map((line) => ('part' in line ? line.part : line.type))).toEqual(['snapshot', 3, 5]),
    )
    expect(agents.feed.held).toEqual([held])
    const change = { type: 'peers' as const, revision: 2, put: [{ node: 'b', block: 'b', via: '1' }], gone: [] }
    agents.feed.senders.get('a')?.(change)
    await eventually(() => expect(peer.received.at(-1)).toEqual(change))
  })

  it.each(['', 'nonsense', '0'.repeat(10)])('sends one that says %j of its peers all of them', async (peers) => {
    agents.feed.peerParts = [3, 5]
    const peer = await agents.dial('a', { peers })
    await eventually(() => expect(peer.received[0]).toMatchObject({ type: 'snapshot' }))
    expect(peer.received[0]).not.toHaveProperty('peerParts')
    expect(agents.feed.held).toEqual([])
  })

  /** The other side's word on a refused client certificate comes after the handshake in TLS 1.3. */
  const isRefused = async (options: ConnectionOptions): Promise<boolean> => {
    const socket = connect({
      host: '127.0.0.1',
      port: agents.port,
      servername: serverName,
      ALPNProtocols: [agentAlpn],
      ...options,
    })
    socket.on('error', () => undefined)
    // Its end is heard of after what came before it.
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    return !agents.links.isConnected('a')
  }

  it('refuses a client without a certificate', async () => {
    expect(await isRefused({ ca: agents.authority.certificatePem })).toBe(true)
  })

  it('refuses a certificate of another authority, although it has the same name', async () => {
    await agents.join('a')
    const directory = await mkdtemp(join(tmpdir(), 'berth-foreign-'))
    try {
      const foreign = await openAuthority(directory)
      const { requestPem, keyPem } = await createRequest('a')
      const cert = await foreign.signNode(requestPem, 'a')
      expect(await isRefused({ ca: agents.authority.certificatePem, cert, key: keyPem })).toBe(true)
      await eventually(() => expect(agents.logged.join('')).toContain('signed by another cluster’s authority'))
      expect(agents.refused.whyOf('a', performance.now())).toContain('bring server/authority/ back')
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('refuses a certificate that has expired, and says what to do', async () => {
    await agents[Symbol.asyncDispose]()
    const dayMs = 86_400_000
    // Two days ago the node got one for a day.
    const lifetimes = { authorityMs: 100 * dayMs, serverMs: 100 * dayMs, nodeMs: dayMs }
    agents = await openAgents({ now: () => Date.now() - 2 * dayMs, lifetimes })
    const { certificatePem: cert, keyPem: key } = await agents.join('a')
    expect(await isRefused({ ca: agents.authority.certificatePem, cert, key })).toBe(true)
    await eventually(() => expect(agents.logged.join('')).toMatch(/certificate of node a ended at .*remove the node/))
  })

  it('refuses the server’s own certificate as a client’s', async () => {
    const pair = await agents.authority.serverCertificate(['127.0.0.1'])
    expect(await isRefused({ ca: agents.authority.certificatePem, cert: pair.certificatePem, key: pair.keyPem })).toBe(
      true,
    )
  })

  it('refuses an older certificate of the same name, and a node that was removed', async () => {
    const { certificatePem, keyPem } = await agents.join('a')
    const { requestPem, keyPem: otherKey } = await createRequest('a')
    const other = await agents.authority.signNode(requestPem, 'a')
    expect(await isRefused({ ca: agents.authority.certificatePem, cert: other, key: otherKey })).toBe(true)
    await agents.under.records.commit('system', (tx) => tx.delete('nodes', 'a'))
    expect(await isRefused({ ca: agents.authority.certificatePem, cert: certificatePem, key: keyPem })).toBe(true)
    expect(agents.logged.join('')).toContain('not the one that node a was given')
    expect(agents.logged.join('')).toContain('it was removed')
  })

  it('remembers where those come from who do not trust its certificate', async () => {
    const pair = await agents.join('a')
    const socket = connect({
      ...{ host: '127.0.0.1', port: agents.port, servername: serverName, ALPNProtocols: [agentAlpn] },
      ...{ ca: pair.certificatePem, cert: pair.certificatePem, key: pair.keyPem },
    })
    await new Promise((resolve) => socket.once('error', resolve))
    await eventually(() => expect(agents.refused.whyOf('127.0.0.1', performance.now())).toContain('other keys'))
    await using _peer = await agents.dial('a')
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    expect(agents.logged.join('')).toContain('ended in its handshake')
  })

  it('tells a node that was removed what to do', async () => {
    const credentials = await agents.join('a')
    await agents.under.records.commit('system', (tx) => tx.delete('nodes', 'a'))
    await using peer = await AgentPeer.dial(agents.port, credentials)
    await eventually(() => expect(peer.closed).toBe(true))
    expect(peer.goaways[0]).toMatch(/there is no node "a".*berth down --all --purge.*node\.json/)
    expect(peer.received).toEqual([])
  })

  it('refuses another protocol', async () => {
    const { certificatePem, keyPem } = await agents.join('a')
    const options = { ca: agents.authority.certificatePem, cert: certificatePem, key: keyPem }
    expect(await isRefused({ ...options, ALPNProtocols: ['h2'] })).toBe(true)
    expect(await isRefused({ ...options, ALPNProtocols: undefined })).toBe(true)
  })

  it('cuts a node off when it is removed', async () => {
    const peer = await agents.dial('a')
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [] })
    await eventually(() => expect(agents.links.isOnline('a')).toBe(true))
    await agents.under.records.commit('system', (tx) => tx.delete('nodes', 'a'))
    await eventually(() => expect(peer.closed).toBe(true))
    expect(peer.goaways).toEqual(['the node was removed from the cluster'])
    expect(agents.links.isOnline('a')).toBe(false)
  })
})

describe('the sync stream', () => {
  it('sends changes after the snapshot', async () => {
    const peer = await agents.dial('a')
    await eventually(() => expect(agents.feed.senders.has('a')).toBe(true))
    agents.feed.senders.get('a')?.({ type: 'assign', revision: 5, assignment: assignment('x') })
    await eventually(() => expect(peer.last('assign')?.assignment.instance).toBe('x'))
    expect(peer.received[0]?.type).toBe('snapshot')
  })

  it('replaces a link by a newer one of the same node', async () => {
    const first = await agents.dial('a')
    await eventually(() => expect(first.received.length).toBeGreaterThan(0))
    const second = await agents.dial('a')
    await eventually(() => expect(second.received.length).toBeGreaterThan(0))
    await eventually(() => expect(first.closed).toBe(true))
    agents.feed.senders.get('a')?.({ type: 'assign', revision: 5, assignment: assignment('x') })
    await eventually(() => expect(second.last('assign')).toBeDefined())
    expect(agents.links.isConnected('a')).toBe(true)
  })

  it('says so when two machines have one identity, as by a copied disk', async () => {
    await agents.dial('a')
    for (let n = 0; n < 6; n++) {
      const peer = await agents.dial('a')
      await eventually(() => expect(peer.received.length).toBeGreaterThan(0))
    }
    await eventually(() => expect(eventTypes()).toContain('node.two-machines'))
    expect(agents.logged.join('')).toContain('two machines seem to be node a')
  })

  it('goes on after lines that it does not understand', async () => {
    const peer = await agents.dial('a')
    await peer.sendText('rubbish\n{"type":"from-the-future"}\n{"type":"status","instances":[{"id":7}]}\n')
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [] })
    await eventually(() => expect(agents.links.isOnline('a')).toBe(true))
    expect(agents.logged.filter((line) => line.includes('agent.invalid-line'))).toHaveLength(2)
  })

  it('ends a link whose agent sends a line without end', async () => {
    const peer = await agents.dial('a')
    await peer.sendText('x'.repeat(9_000_000))
    await eventually(() => expect(peer.closed).toBe(true))
    expect(agents.logged.join('')).toContain('longer than')
  })
})

describe('reports', () => {
  it('bring statuses into the store once, with events for what matters', async () => {
    await assign('shop.production.web-1', 'a')
    const peer = await agents.dial('a')
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [status('shop.production.web-1')] })
    await eventually(() => expect(agents.under.state.statuses.get('shop.production.web-1')?.phase).toBe('running'))
    await peer.send({ type: 'status', instances: [status('shop.production.web-1', { ready: true, readyAt: 5 })] })
    await eventually(() => expect(agents.under.state.statuses.get('shop.production.web-1')?.ready).toBe(true))
    const exit = { code: 137, outOfMemory: true, at: 9 }
    await peer.send({ type: 'status', instances: [status('shop.production.web-1', { restarts: 1, lastExit: exit })] })
    await eventually(() => expect(agents.under.state.statuses.get('shop.production.web-1')?.restarts).toBe(1))
    expect(eventTypes().filter((type) => type.startsWith('instance'))).toEqual([
      'instance.started',
      'instance.ready',
      'instance.restarted',
      'instance.unready',
    ])
    expect(agents.under.state.events.all().at(-2)?.message).toContain('out of memory')
    const { revision } = agents.under.state
    await peer.send({
      type: 'status',
      instances: [status('shop.production.web-1', { restarts: 1, lastExit: exit })],
    })
    await eventually(() => expect(agents.reports).toHaveLength(4))
    await agents.links.settled()
    expect(agents.under.state.revision).toBe(revision)
  })

  it('write many at once in few commits', async () => {
    const ids = Array.from({ length: 60 }, (_, i) => `shop.production.web-${i}`)
    for (const id of ids) await assign(id, 'a')
    const before = agents.under.state.revision
    const peer = await agents.dial('a')
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: ids.map((id) => status(id, { ready: true })) })
    await eventually(() => expect(agents.under.state.statuses.size).toBe(60))
    expect(agents.under.state.revision - before).toBeLessThan(12)
  })

  it('are believed only of the node’s own instances and never backwards', async () => {
    await assign('shop.production.web-1', 'b')
    await assign('shop.production.web-2', 'a')
    const peer = await agents.dial('a')
    await peer.send({
      type: 'hello',
      node: nodeStatus('a'),
      instances: [
        status('shop.production.web-1'),
        status('nobody.knows.web-1'),
        status('shop.production.web-2', { phase: 'ended' }),
      ],
    })
    await eventually(() => expect(agents.under.state.statuses.get('shop.production.web-2')?.phase).toBe('ended'))
    await peer.send({ type: 'status', instances: [status('shop.production.web-2')] })
    await eventually(() => expect(agents.logged.join('')).toContain('may not move an instance from ended to running'))
    expect([...agents.under.state.statuses.ids()]).toEqual(['shop.production.web-2'])
    expect(agents.logged.join('')).toContain('it is left alone')
  })

  it('let the agent forget an ended instance that the server has forgotten', async () => {
    const peer = await agents.dial('a')
    const ended = status('shop.production.web-9', { phase: 'ended' })
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [ended] })
    await eventually(() => expect(peer.last('forget')?.instance).toBe('shop.production.web-9'))
  })

  it('on an earlier instance of the same id are not about the one that has it now', async () => {
    const id = 'shop.production.web-1'
    await agents.under.records.commit('system', (tx) => tx.put('instances', { ...instance(id, 'a'), createdAt: 2_000 }))
    const peer = await agents.dial('a')
    const earlier = status(id, { createdAt: 1_000, phase: 'ended' })
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [earlier] })
    await peer.send({ type: 'status', instances: [status(id, { createdAt: 2_000 })] })
    await eventually(() => expect(agents.under.state.statuses.get(id)?.phase).toBe('running'))
    // Nor is the agent told to forget anything: it has been given the later one.
    expect(peer.last('forget')).toBeUndefined()
  })

  it('let an ended instance be forgotten that runs elsewhere by now', async () => {
    const id = 'shop.production.web-1'
    await assign(id, 'b')
    const peer = await agents.dial('a')
    const ended = status(id, { createdAt: 1_000, phase: 'ended' })
    await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [ended] })
    await eventually(() => expect(peer.last('forget')).toMatchObject({ instance: id, createdAt: 1_000 }))
  })

  it('say what is wrong with the node also to a server that does not write it down, as long as the link is there', async () => {
    const peer = await agents.dial('a')
    await peer.send({ type: 'node', node: nodeStatus('a', { problems: ['no room'] }) })
    await eventually(() => expect(agents.links.saidByAgent('a')).toEqual(['no room']))
    await peer.send({ type: 'node', node: nodeStatus('a', { problems: [] }) })
    await eventually(() => expect(agents.links.saidByAgent('a')).toEqual([]))
    await peer.send({ type: 'node', node: nodeStatus('a', { problems: ['again'] }) })
    await eventually(() => expect(agents.links.saidByAgent('a')).toEqual(['again']))
    await peer[Symbol.asyncDispose]()
    await eventually(() => expect(agents.links.saidByAgent('a')).toEqual([]))
  })

  it('reach the listener as they are', async () => {
    const peer = await agents.dial('a')
    await peer.send({ type: 'gateway', version: 7, inflight: { '10.0.0.1:80': 2 } })
    await eventually(() =>
      expect(agents.reports).toEqual([['a', { type: 'gateway', version: 7, inflight: { '10.0.0.1:80': 2 } }]]),
    )
  })
})

describe('requests', () => {
  it('reject with node.offline when there is no link, and with node.not-found when there is no node', async () => {
    await agents.join('a')
    await expect(agents.links.logs('a', 'x').next()).rejects.toMatchObject({ code: 'node.offline' })
    await expect(agents.links.metrics('b')).rejects.toMatchObject({ code: 'node.not-found' })
    await expect(agents.links.reach('a', [])).rejects.toMatchObject({ code: 'node.offline' })
  })

  it('say that another server has the link where this one does not lead and the node is online', async () => {
    await agents.join('a')
    const links = new AgentLinks({
      state: agents.under.state,
      log: pino({ level: 'silent' }),
      listener: { onReport: () => undefined, onLink: () => undefined },
      linkWaitMs: 10,
    })
    await agents.under.records.commit('system', (tx) => tx.put('nodeStatuses', nodeStatus('a', { online: true })))
    const message = expect.stringContaining('is online, but its agent has no link to this server')
    await expect(links.metrics('a')).rejects.toMatchObject({ code: 'node.offline', message })
    await links[Symbol.asyncDispose]()
  })

  /** Its agent links and goes again. */
  const linkOnce = async (online: boolean): Promise<void> => {
    const peer = await agents.dial('a')
    if (online) {
      await peer.send({ type: 'hello', node: nodeStatus('a'), instances: [] })
      await eventually(() => expect(agents.links.isOnline('a')).toBe(true))
    }
    await peer[Symbol.asyncDispose]()
    await eventually(() => expect(agents.links.isConnected('a')).toBe(false))
  }

  it('that people make wait for the link of a node that is not known to be gone; the others do not', async () => {
    await linkOnce(true)
    const waiting = [
      agents.links.exec('a', 'x', { command: ['true'] }),
      agents.links.logs('a', 'x').next(),
      agents.links.request('a', routesRequest),
    ]
    await expect(agents.links.reach('a', [])).rejects.toMatchObject({ code: 'node.offline' })
    await agents.dial('a')
    for (const each of waiting) await expect(each).rejects.toMatchObject({ code: 'agent.not-found' })
  })

  it('wait for no node that never was online, has fallen silent, or is removed', async () => {
    await linkOnce(false)
    await expect(agents.links.request('a', routesRequest)).rejects.toMatchObject({ code: 'node.offline' })
    await agents[Symbol.asyncDispose]()
    agents = await openAgents({ silenceMs: 500, linkWaitMs: 1e9 })
    await linkOnce(true)
    await expect(agents.links.request('a', routesRequest)).rejects.toMatchObject({ code: 'node.offline' })
    expect(agents.links.isOnline('a')).toBe(false)
    await agents[Symbol.asyncDispose]()
    agents = await openAgents({ silenceMs: 60_000, linkWaitMs: 1e9 })
    await linkOnce(true)
    const waiting = agents.links.request('a', routesRequest)
    await agents.under.records.commit('system', (tx) => tx.delete('nodes', 'a'))
    await expect(waiting).rejects.toMatchObject({ code: 'node.not-found' })
  })

  it('wait so long and no longer, until they are given up, or until the server stops', async () => {
    await agents[Symbol.asyncDispose]()
    agents = await openAgents({ silenceMs: 60_000, linkWaitMs: 1 })
    await linkOnce(true)
    await expect(agents.links.request('a', routesRequest)).rejects.toMatchObject({ code: 'node.offline' })
    await agents[Symbol.asyncDispose]()
    agents = await openAgents({ silenceMs: 60_000, linkWaitMs: 1e9 })
    await linkOnce(true)
    const giveUp = new AbortController()
    const waiting = agents.links.request('a', { ...routesRequest, signal: giveUp.signal })
    giveUp.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    const last = agents.links.request('a', routesRequest)
    await Promise.all([
      expect(last).rejects.toMatchObject({ code: 'node.offline' }),
      agents.links[Symbol.asyncDispose](),
    ])
  })

  it('give the agent’s own error', async () => {
    const peer = await agents.dial('a')
    await eventually(() => expect(peer.received.length).toBeGreaterThan(0))
    await expect(agents.links.metrics('a')).rejects.toMatchObject({ code: 'agent.not-found', details: { node: 'a' } })
  })

  it('stream logs, encode what the path holds, and end when left', async () => {
    const peer = await agents.dial('a')
    const paths: string[] = []
    const ended = Promise.withResolvers<void>()
    peer.handlers.set('GET /v1/instances', (stream, url) => {
      paths.push(url.pathname + url.search)
      stream.respond({ ':status': 200 })
      stream.write(`${JSON.stringify({ at: 1, stream: 'stdout', line: 'one' })}\n`)
      stream.write(`${JSON.stringify({ at: 2, stream: 'stderr', line: 'twö' })}\n`)
      stream.on('close', () => ended.resolve())
    })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    const lines: string[] = []
    for await (const line of agents.links.logs('a', '../x y', { follow: true, tail: 5 })) {
      lines.push(`${line.instance} ${line.line}`)
      if (lines.length === 2) break
    }
    await ended.promise
    expect(lines).toEqual(['../x y one', '../x y twö'])
    expect(paths).toEqual(['/v1/instances/..%2Fx%20y/logs?follow=true&tail=5'])
  })

  it('stop when the signal aborts, with its reason', async () => {
    const peer = await agents.dial('a')
    peer.handlers.set('GET /v1/instances', (stream) => {
      stream.respond({ ':status': 200 })
      stream.write(`${JSON.stringify({ at: 1, stream: 'stdout', line: 'one' })}\n`)
    })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    const stop = new AbortController()
    const read = async () => {
      for await (const _ of agents.links.logs('a', 'x', { follow: true, signal: stop.signal }))
        stop.abort(new Error('enough'))
    }
    await expect(read()).rejects.toThrow('enough')
  })

  it('fail with node.offline when the link is lost meanwhile', async () => {
    const peer = await agents.dial('a')
    peer.handlers.set('GET /v1/instances', (stream) => {
      stream.respond({ ':status': 200 })
      stream.write(`${JSON.stringify({ at: 1, stream: 'stdout', line: 'one' })}\n`)
    })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    const read = async () => {
      for await (const _ of agents.links.logs('a', 'x', { follow: true })) await peer[Symbol.asyncDispose]()
    }
    await expect(read()).rejects.toMatchObject({ code: 'node.offline' })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(false))
  })

  it('carry exec frames both ways', async () => {
    const peer = await agents.dial('a')
    const queries: URLSearchParams[] = []
    peer.handlers.set('POST /v1/instances', (stream, url) => {
      queries.push(url.searchParams)
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    const exec = await agents.links.exec('a', 'x', {
      command: ['sh', '-c', 'echo "$1; rm -rf /"'],
      tty: true,
      columns: 80,
      rows: 24,
    })
    const sent = [Buffer.from([0, 104, 105]), Buffer.alloc(200_000, 7), Buffer.from([5])]
    for (const frame of sent) await exec.send(frame)
    const received: Buffer[] = []
    for await (const frame of exec.frames) {
      received.push(Buffer.from(frame))
      if (received.length === sent.length) break
    }
    exec.close()
    expect(received.map((frame) => frame.length)).toEqual([3, 200_000, 1])
    expect(Buffer.compare(Buffer.concat(received), Buffer.concat(sent))).toBe(0)
    expect(queries[0]?.getAll('command')).toEqual(['sh', '-c', 'echo "$1; rm -rf /"'])
    expect(Object.fromEntries(queries[0] ?? [])).toMatchObject({ tty: 'true', columns: '80', rows: '24' })
  })

  it('send a build with its context and yield what it says', async () => {
    const peer = await agents.dial('a')
    const bodies: string[] = []
    peer.handlers.set('POST /v1/builds', async (stream) => {
      stream.respond({ ':status': 200 })
      let body = ''
      for await (const chunk of stream) body += chunk
      bodies.push(body)
      stream.write(`${JSON.stringify({ type: 'output', at: 1, line: 'Step 1' })}\n`)
      stream.end(`${JSON.stringify({ type: 'done', image: 'sha256:1' })}\n`)
    })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    const context = (async function* () {
      yield Buffer.from('tar ')
      yield Buffer.from('bytes')
    })()
    const request = { id: 'b-1', app: 'shop', tag: 't' } as Parameters<typeof agents.links.build>[1]
    const events = await Array.fromAsync(agents.links.build('a', request, context))
    expect(events.map((event) => event.type)).toEqual(['output', 'done'])
    expect(bodies).toEqual([`${JSON.stringify(request)}\ntar bytes`])
  })

  it('give a build’s refusal although the context was not read to its end', async () => {
    const peer = await agents.dial('a')
    peer.handlers.set('POST /v1/builds', (stream) => {
      stream.respond({ ':status': 409 })
      stream.end(JSON.stringify({ error: { code: 'build.busy', message: 'no', retryable: true, details: {} } }))
    })
    await eventually(() => expect(agents.links.isConnected('a')).toBe(true))
    const context = (async function* () {
      for (let i = 0; i < 1_000; i += 1) yield Buffer.alloc(100_000)
    })()
    const request = { id: 'b-1' } as Parameters<typeof agents.links.build>[1]
    await expect(Array.fromAsync(agents.links.build('a', request, context))).rejects.toMatchObject({
      code: 'build.busy',
    })
  })
})

describe('images', () => {
  const holder = async (name: string, size: number) => {
    const peer = await agents.dial(name)
    peer.handlers.set('GET /v1/images', (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.alloc(size, 7))
    })
    return peer
  }
  const taker = async (name: string, got: number[]) => {
    const peer = await agents.dial(name)
    peer.handlers.set('PUT /v1/images', async (stream) => {
      let size = 0
      try {
        for await (const chunk of stream) size += (chunk as Buffer).length
      } catch {
        return
      }
      got.push(size)
      stream.respond({ ':status': 200 })
      stream.end(JSON.stringify({ image: 'sha256:1' }))
    })
    return peer
  }

  /** An instance of that node is made of `sha256:1`. */
  const runsIt = async (node: string): Promise<void> => {
    const release = { app: 'shop', id: 'v1', image: 'sha256:1', spec: {}, createdAt: 0, createdBy: 'local:0' }
    await agents.under.records.commit('system:test', (tx) => {
      tx.put('releases', release as unknown as Release)
      tx.put('instances', instance(`shop.production.web-1`, node))
    })
  }

  it('are copied from a node that has them, once, to one that misses them', async () => {
    const empty = await agents.dial('a')
    const got: number[] = []
    await holder('b', 3_000_000)
    const peer = await taker('c', got)
    await runsIt('c')
    await eventually(() => expect(agents.links.isConnected('c') && agents.links.isConnected('b')).toBe(true))
    await peer.send({ type: 'image-missing', image: 'sha256:1' })
    await peer.send({ type: 'image-missing', image: 'sha256:1' })
    await eventually(() => expect(got).toEqual([3_000_000]))
    expect(empty.closed).toBe(false)
  })

  it('are given to nobody whose instances are not made of them: they hold sources of others', async () => {
    const got: number[] = []
    await holder('b', 1_000)
    const peer = await taker('c', got)
    await runsIt('a')
    await eventually(() => expect(agents.links.isConnected('c') && agents.links.isConnected('b')).toBe(true))
    await peer.send({ type: 'image-missing', image: 'sha256:1' })
    await peer.send({ type: 'image-missing', image: 'private/of-the-machine:1' })
    await eventually(() => expect(agents.logged.join('')).toContain('c asks for image private/of-the-machine:1'))
    expect(got).toEqual([])
  })

  it('tell when no node has them', async () => {
    await agents.dial('a')
    await agents.dial('b')
    await runsIt('b')
    await eventually(() => expect(agents.links.isConnected('a') && agents.links.isConnected('b')).toBe(true))
    expect(await agents.links.bringImage('sha256:1', 'b')).toBe('no GET /v1/images')
    expect(agents.logged.join('')).toContain('no connected node could give b the image')
  })

  it('give the target’s error when it cannot take them', async () => {
    await holder('a', 5_000_000)
    const peer = await agents.dial('b')
    peer.handlers.set('PUT /v1/images', (stream) => {
      stream.respond({ ':status': 507 })
      stream.end(JSON.stringify({ error: { code: 'disk.full', message: 'full', retryable: false, details: {} } }))
    })
    await eventually(() => expect(agents.links.isConnected('a') && agents.links.isConnected('b')).toBe(true))
    await expect(agents.links.copyImage('sha256:1', 'a', 'b')).rejects.toMatchObject({ code: 'disk.full' })
  })

  it('give the source’s error when it breaks off', async () => {
    const peer = await agents.dial('a')
    peer.handlers.set('GET /v1/images', (stream) => {
      stream.respond({ ':status': 200 })
      stream.write(Buffer.alloc(1_000_000), () => stream.destroy(new Error('broken')))
    })
    const got: number[] = []
    await taker('b', got)
    await eventually(() => expect(agents.links.isConnected('a') && agents.links.isConnected('b')).toBe(true))
    await expect(agents.links.copyImage('sha256:1', 'a', 'b')).rejects.toMatchObject({
      code: 'agent.stream-failed',
      details: { node: 'a' },
    })
  })
})
