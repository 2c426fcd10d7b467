import { X509Certificate } from 'node:crypto'
import type { ServerHttp2Stream } from 'node:http2'
import type { CertificateDelivery } from '@berth/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fingerprintOf } from '../authority/certificate-checks.ts'
import { createRequest } from '../authority/certificate-request.testing.ts'
import { eventually } from '../eventually.testing.ts'
import { AgentPeer, type PeerCredentials } from './agent-peer.testing.ts'
import { type AgentsUnderTest, openAgents } from './agents-under-test.testing.ts'
import { readBoundedLines } from './bounded-lines.ts'

const dayMs = 86_400_000
const lifetimes = { authorityMs: 900 * dayMs, serverMs: 300 * dayMs, nodeMs: 30 * dayMs }
const name = 'node-a'

let agents: AgentsUnderTest
let now: number

beforeEach(async () => {
  // TLS goes by the real clock, which is where the tests arrive when they let 21 days pass.
  now = Date.now() - 21 * dayMs
  agents = await openAgents({ lifetimes, now: () => now })
})
afterEach(async () => await agents[Symbol.asyncDispose]())

const node = () => agents.under.state.nodes.get(name)
const events = () => agents.under.state.events.all().map((event) => event.type)

/** The agent's part of a renewal, with a disk that remembers what was delivered. */
class Renewing {
  disk: PeerCredentials
  requests = 0
  /** Cuts the link instead of answering this delivery; what was delivered is kept or lost. */
  cut: 'none' | 'kept' | 'lost' = 'none'
  #pendingKey = ''

  constructor(disk: PeerCredentials) {
    this.disk = disk
  }

  serve(peer: AgentPeer): void {
    peer.handlers.set('POST /v1/certificate', async (stream) => {
      this.requests += 1
      const { requestPem, keyPem } = await createRequest(name)
      this.#pendingKey = keyPem
      answer(stream, { requestPem, certificatePem: this.disk.certificatePem })
    })
    peer.handlers.set('PUT /v1/certificate', async (stream) => {
      let text = ''
      for await (const line of readBoundedLines(stream, 100_000)) text += line
      const { certificatePem, authorityPem } = JSON.parse(text) as CertificateDelivery
      if (this.cut !== 'lost') this.disk = { certificatePem, authorityPem, keyPem: this.#pendingKey }
      if (this.cut === 'none') answer(stream, {})
      else await peer[Symbol.asyncDispose]()
    })
  }

  async dial(): Promise<AgentPeer> {
    const peer = await AgentPeer.dial(agents.port, this.disk)
    this.serve(peer)
    return peer
  }
}

function answer(stream: ServerHttp2Stream, body: object): void {
  stream.respond({ ':status': 200 })
  stream.end(JSON.stringify(body))
}

async function joined(): Promise<{ agent: Renewing; peer: AgentPeer }> {
  const agent = new Renewing(await agents.join(name))
  const peer = await agent.dial()
  await eventually(() => expect(agents.links.isConnected(name)).toBe(true))
  return { agent, peer }
}

/** The certificate comes into the last third of its life. */
function letDaysPass(days: number): void {
  now += days * dayMs
  agents.certificates.lookAtAll()
}

describe('a certificate of a node', () => {
  it('is left alone until the last third of its life, then renewed over the link, which stays', async () => {
    const { agent, peer } = await joined()
    const before = node()?.certificateFingerprint
    letDaysPass(19)
    await agents.under.records.commit('local:0', (tx) =>
      tx.event({ type: 'routing.set', subject: {}, message: 'later' }),
    )
    expect(agent.requests).toBe(0)
    letDaysPass(2)
    await eventually(() => expect(node()?.certificateFingerprint).not.toBe(before))
    expect(node()?.certificateFingerprint).toBe(fingerprintOf(agent.disk.certificatePem))
    expect(node()?.certificateExpiresAt).toBe(new X509Certificate(agent.disk.certificatePem).validToDate.getTime())
    expect(node()?.nextCertificateFingerprint).toBeUndefined()
    expect(events()).toContain('node.certificate-renewed')
    expect(peer.closed).toBe(false)
    expect(agents.links.isConnected(name)).toBe(true)
    letDaysPass(0)
    expect(agent.requests).toBe(1)
  })

  it('shuts the old one out once the node has the new one', async () => {
    const { agent, peer } = await joined()
    const old = agent.disk
    letDaysPass(21)
    await eventually(() => expect(events()).toContain('node.certificate-renewed'))
    await peer[Symbol.asyncDispose]()
    const refused = await AgentPeer.dial(agents.port, old)
    await eventually(() => expect(refused.closed).toBe(true))
    expect(agents.logged.join('')).toContain('not the one that node node-a was given last')
    const again = await agent.dial()
    await eventually(() => expect(again.last('snapshot')).toBeDefined())
  })

  it.each(['kept', 'lost'] as const)('survives a link that breaks when it is delivered and %s', async (cut) => {
    const { agent } = await joined()
    agent.cut = cut
    letDaysPass(21)
    await eventually(() => expect(node()?.nextCertificateFingerprint).toBeDefined())
    await eventually(() => expect(agents.links.isConnected(name)).toBe(false))
    agent.cut = 'none'
    const peer = await agent.dial()
    await eventually(() => expect(node()?.nextCertificateFingerprint).toBeUndefined())
    expect(node()?.certificateFingerprint).toBe(fingerprintOf(agent.disk.certificatePem))
    expect(agent.requests).toBe(cut === 'kept' ? 1 : 2)
    expect(peer.closed).toBe(false)
  })

  it('that the node has already, unknown to the server, is not made again', async () => {
    const { agent, peer } = await joined()
    // It was written, but the answer came too late for the server.
    peer.handlers.set('PUT /v1/certificate', async (stream) => {
      let text = ''
      for await (const line of readBoundedLines(stream, 100_000)) text += line
      agent.disk = { ...agent.disk, ...(JSON.parse(text) as CertificateDelivery) }
      stream.respond({ ':status': 504 })
      stream.end(JSON.stringify({ error: { code: 'agent.late', message: 'late', retryable: true, details: {} } }))
    })
    letDaysPass(21)
    await eventually(() => expect(events()).toContain('node.certificate-problem'))
    now += 60_000
    agents.certificates.lookAtAll()
    await eventually(() => expect(events()).toContain('node.certificate-renewed'))
    expect(node()?.certificateFingerprint).toBe(fingerprintOf(agent.disk.certificatePem))
    expect(node()?.certificateProblem).toBeUndefined()
    expect(agent.requests).toBe(2)
  })

  it('that cannot be renewed is a problem of the node, told once, until it can', async () => {
    const { agent, peer } = await joined()
    peer.handlers.clear()
    letDaysPass(21)
    await eventually(() =>
      expect(node()?.certificateProblem).toContain('could not be renewed: no POST /v1/certificate'),
    )
    for (let look = 0; look < 3; look += 1) {
      now += 1_000
      agents.certificates.lookAtAll()
    }
    agent.serve(peer)
    now += 1_000
    agents.certificates.lookAtAll()
    await eventually(() => expect(node()?.certificateProblem).toBeUndefined())
    expect(events().filter((type) => type === 'node.certificate-problem')).toHaveLength(1)
    expect(node()?.certificateFingerprint).toBe(fingerprintOf(agent.disk.certificatePem))
  })

  it('is renewed after a rotation of the authority, by which the node then knows servers', async () => {
    const { agent } = await joined()
    const before = node()?.certificateFingerprint
    now += 601 * dayMs
    await agents.authority.rotateIfDue()
    agents.certificates.lookAtAll()
    await eventually(() => expect(node()?.certificateFingerprint).not.toBe(before))
    expect(agent.disk.authorityPem).toBe(agents.authority.trustPem)
    expect(agents.authority.hasSigned(new X509Certificate(agent.disk.certificatePem))).toBe(true)
  })

  it('of a node that is away is spoken of before it ends, and when it has', async () => {
    const { agent, peer } = await joined()
    await eventually(() => expect(agents.links.isConnected(name)).toBe(true))
    await peer[Symbol.asyncDispose]()
    await eventually(() => expect(agents.links.isConnected(name)).toBe(false))
    letDaysPass(25)
    await eventually(() => expect(node()?.certificateProblem).toContain('cannot be renewed while its agent is not'))
    letDaysPass(6)
    await eventually(() => expect(node()?.certificateProblem).toContain('remove the node, then join it anew'))
    expect(agent.requests).toBe(0)
  })
})
