import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FromAgent } from '@berth/api'
import { pino } from 'pino'
import { type Authority, type CertificateLifetimes, defaultLifetimes, openAuthority } from '../authority/authority.ts'
import { createRequest } from '../authority/certificate-request.testing.ts'
import { Enrolment } from '../authority/enrolment.ts'
import { InstanceNews } from '../events/instance-news.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { AgentLinks } from './agent-links.ts'
import { AgentPeer, type PeerCredentials, type PeerOptions } from './agent-peer.testing.ts'
import { AgentPort } from './agent-port.ts'
import { NodeCertificates } from './node-certificates.ts'
import type { FeedLine, NodeFeed } from './node-feed.ts'
import { RefusedAgents } from './refused-agents.ts'

/** A feed that says what the test wants it to say. */
export class ScriptedFeed implements NodeFeed {
  readonly senders = new Map<string, (line: FeedLine) => void>()

  /** Of those that say what they have of their peers. */
  readonly held: string[] = []
  peerParts: number[] = []

  snapshot(node: string, held?: string) {
    if (held !== undefined) this.held.push(held)
    const network = { pool: '10.77.0.0/16', block: `block of ${node}`, peers: [], domain: 'berth', defaultPool: 'p' }
    const names = { version: 1, entries: [], known: [] }
    const parts = held === undefined ? {} : { peerParts: this.peerParts }
    return { type: 'snapshot' as const, epoch: 'e', revision: 1, assignments: [], network, ...parts, names }
  }

  peerPart = (part: number): FeedLine => ({ type: 'peer-part', part, revision: 1, peers: [] })

  network(node: string): FeedLine {
    return { type: 'network', revision: 1, network: this.snapshot(node).network }
  }

  subscribe(node: string, send: (line: FeedLine) => void): () => void {
    this.senders.set(node, send)
    return () => {
      if (this.senders.get(node) === send) this.senders.delete(node)
    }
  }
}

export interface AgentsUnderTest extends AsyncDisposable {
  readonly under: RecordsUnderTest
  readonly authority: Authority
  readonly feed: ScriptedFeed
  readonly links: AgentLinks
  readonly certificates: NodeCertificates
  readonly port: number
  readonly online: string[]
  readonly reports: [string, FromAgent][]
  readonly logged: string[]
  readonly refused: RefusedAgents
  join(name: string): Promise<PeerCredentials>
  dial(name: string, options?: PeerOptions): Promise<AgentPeer>
}

export interface OpenAgentsOptions {
  readonly silenceMs?: number
  readonly lifetimes?: CertificateLifetimes
  readonly linkWaitMs?: number
  /** The authority's clock, and that of renewals. */
  readonly now?: () => number
}

export async function openAgents(options: OpenAgentsOptions = {}): Promise<AgentsUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-agents-'))
  const under = await openTemporaryRecords()
  const { now = Date.now, lifetimes = defaultLifetimes } = options
  const authority = await openAuthority(directory, { now, lifetimes })
  const enrolment = new Enrolment({ records: under.records, authority, addressPool: '10.77.0.0/16' })
  const feed = new ScriptedFeed()
  const logged: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void logged.push(line) })
  const online: string[] = []
  const reports: [string, FromAgent][] = []
  const listener = {
    onReport: (node: string, line: FromAgent) => void reports.push([node, line]),
    onLink: (node: string, up: boolean) => void online.push(`${node} ${up ? 'on' : 'off'}`),
  }
  const silenceMs = options.silenceMs ?? 10_000
  const { records } = under
  const news = new InstanceNews({ records, log })
  const waits = options.linkWaitMs === undefined ? {} : { linkWaitMs: options.linkWaitMs }
  const links = new AgentLinks({ ...waits, state: under.state, listener, log, pingMs: silenceMs / 10, silenceMs })
  const lead = links.lead({ records, news, feed, term: { number: 1, isOver: false } })
  const retry = { firstMs: 20, maxMs: 20 }
  const certificates = new NodeCertificates({ records: under.records, authority, agents: links, log, now, retry })
  const refused = new RefusedAgents()
  const agentPort = new AgentPort({
    host: '127.0.0.1',
    port: 0,
    certificate: await authority.serverCertificate(['127.0.0.1']),
    authorityPem: authority.trustPem,
    state: under.state,
    log,
    refused,
    onAgent: (node, socket, certificate) => {
      links.connect(node, socket)
      certificates.connected(node, certificate)
    },
  })
  const port = await agentPort.listen()
  const credentials = new Map<string, PeerCredentials>()
  const peers: AgentPeer[] = []
  const join_ = async (name: string): Promise<PeerCredentials> => {
    const { token } = await enrolment.createToken({ ttlMs: 60_000 }, { actor: 'local:0' })
    const { requestPem, keyPem } = await createRequest(name)
    const request = {
      token,
      name,
      address: `192.0.2.${under.state.nodes.all().length + 1}`,
      labels: {},
      from: '192.0.2.1',
      certificateRequestPem: requestPem,
    }
    const { certificatePem } = await enrolment.join(request)
    const pair = { certificatePem, keyPem, authorityPem: authority.certificatePem }
    credentials.set(name, pair)
    return pair
  }
  return {
    ...{ under, authority, feed, links, certificates, port, online, reports, logged, refused, join: join_ },
    async dial(name, options) {
      const peer = await AgentPeer.dial(port, credentials.get(name) ?? (await join_(name)), options)
      peers.push(peer)
      return peer
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) await peer[Symbol.asyncDispose]()
      await agentPort[Symbol.asyncDispose]()
      await certificates[Symbol.asyncDispose]()
      await links[Symbol.asyncDispose]()
      await lead[Symbol.asyncDispose]()
      await news[Symbol.asyncDispose]()
      await under[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
