import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { pino } from 'pino'
import { expect, it, vi } from 'vitest'
import { AgentLink } from '../packages/agent/src/link/agent-link.ts'
import { enrol } from '../packages/agent/src/link/enrol.ts'
import type { LinkServices } from '../packages/agent/src/link/link-services.ts'
import { NodeCredentials } from '../packages/agent/src/link/node-credentials.ts'
import { readIdentity } from '../packages/agent/src/link/node-identity.ts'
import type { StatusView } from '../packages/api/src/index.ts'
import { nodeStatus } from '../packages/server/src/agents/agent-peer.testing.ts'
import { ServerUnderTest } from '../packages/server/src/server-under-test.testing.ts'

/** The server's and the agent's real halves, with certificates that live for seconds, and long enough for a busy machine to renew them. */
vi.setConfig({ testTimeout: 120_000 })
const lifetimes = { authorityMs: 20_000, serverMs: 12_000, nodeMs: 10_000 }

const waitFor = (assertion: () => unknown): Promise<unknown> =>
  vi.waitFor(assertion, { timeout: 60_000, interval: 100 })

/** Certificates of the chain that the server shows, to who trusts `ca`. */
async function shows(port: number, ca: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'berth-server' })
  try {
    await once(socket, 'secureConnect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function services(credentials: NodeCredentials): LinkServices {
  const sync: LinkServices['sync'] = async ({ stream }) => {
    stream.respond({ ':status': 200 })
    stream.write(`${JSON.stringify({ type: 'hello', node: nodeStatus('node-a'), instances: [] })}\n`)
    for await (const _ of stream) stream.write(`${JSON.stringify({ type: 'pong', at: Date.now() })}\n`)
  }
  return { credentials, sync } as Partial<LinkServices> as LinkServices
}

it.concurrent('certificates of nodes, the server and the authority are renewed while the link stays and after it is cut', async () => {
  const log = pino({ level: 'silent' })
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-agent-'))
  await using server = await ServerUnderTest.start({ certificates: { lifetimes, checkMs: 200 } })
  const status = (): Promise<StatusView> => server.local.call('getStatus', {}) as Promise<StatusView>
  const first = await status()
  const { token } = await server.local.call('createJoinToken', { body: {} })
  const identity = await enrol({
    ...{
      server: `127.0.0.1:${server.edge.apiPort}`,
      token,
      name: 'node-a',
      address: '192.0.2.1',
      labels: {},
      stateDir,
    },
  })
  const credentials = new NodeCredentials(stateDir, identity)
  const link = new AgentLink({ servers: identity.servers, credentials, services: services(credentials), log })
  const events = async () => (await server.local.list('listEvents', { query: {} })).items.map((event) => event.type)

  await waitFor(async () => expect(await events()).toContain('authority.rotated'))
  // In between, who knows only the first authority is let in as well as who knows only the next.
  await waitFor(async () => expect(await shows(server.edge.apiPort ?? 0, first.authority?.trustPem ?? '')).toBe(true))
  await waitFor(async () => expect((await status()).authority?.fingerprint).not.toBe(first.authority?.fingerprint))
  await waitFor(async () => {
    const renewals = (await events()).filter((type) => type === 'node.certificate-renewed')
    expect(renewals.length).toBeGreaterThanOrEqual(3)
  })
  const seen = await events()
  expect(seen).toContain('server.certificate-renewed')
  expect(seen).not.toContain('node.certificate-problem')
  expect(seen.filter((type) => type === 'node.online')).toHaveLength(1)
  expect(seen).not.toContain('node.offline')

  await link[Symbol.asyncDispose]()
  const later = new NodeCredentials(stateDir, await readIdentity(stateDir))
  expect((await later.settled()).cluster).toBe(identity.cluster)
  const again = new AgentLink({ servers: identity.servers, credentials: later, services: services(later), log })
  await waitFor(() => expect(again.isUp).toBe(true))
  // Asked again, for it may be renewed between the question and the look.
  await waitFor(async () => {
    const trust = (await status()).authority?.trustPem ?? ''
    expect(await shows(server.edge.apiPort ?? 0, trust)).toBe(true)
  })
  await waitFor(async () => expect(await shows(server.edge.apiPort ?? 0, first.authority?.trustPem ?? '')).toBe(false))
  expect(server.logged.join('')).not.toMatch(/PRIVATE KEY|"level":60/)
  await again[Symbol.asyncDispose]()
  await rm(stateDir, { recursive: true, maxRetries: 20, retryDelay: 50 })
})

it.concurrent('a call over a connection of before a renewal goes on', async () => {
  await using server = await ServerUnderTest.start({ certificates: { lifetimes, checkMs: 200 } })
  const token = await server.token('ann', 'viewer')
  const path = '/v1/events?watch=true'
  const headers = { authorization: `Bearer ${token}` }
  const options = { host: '127.0.0.1', port: server.edge.apiPort, path, headers, rejectUnauthorized: false }
  const call = request(options).end()
  const [response] = await once(call, 'response')
  let text = ''
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await waitFor(() => expect(text).toContain('server.certificate-renewed'))
  expect(response.destroyed).toBe(false)
  call.destroy()
})
