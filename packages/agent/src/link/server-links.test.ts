import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ServerAddress } from '@berth/api'
import { agentAlpn } from '@berth/api/agent-protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestAuthority } from '../testing/test-authority.ts'
import { waitUntil } from '../testing/wait-until.ts'
import type { LinkServices } from './link-services.ts'
import type { NodeIdentity } from './node-identity.ts'
import { ServerLinks } from './server-links.ts'

/** A server's agent port, which only counts. */
class Port implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<TLSSocket>()
  links = 0

  private constructor(server: Server) {
    this.#server = server
    server.on('secureConnection', (socket) => {
      this.links += 1
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => this.#sockets.delete(socket))
      connectHttp2('https://agent', { createConnection: () => socket }).on('error', () => undefined)
    })
  }

  static async open(authority: TestAuthority): Promise<Port> {
    const { keyPem, certificatePem } = await authority.server()
    const server = createServer({
      ...{ key: keyPem, cert: `${certificatePem}\n${authority.certificatePem}\n`, ca: authority.certificatePem },
      ...{ requestCert: true, rejectUnauthorized: true, ALPNProtocols: [agentAlpn], minVersion: 'TLSv1.3' as const },
    })
    const port = new Port(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return port
  }

  get address(): ServerAddress {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  get isLinked(): boolean {
    return this.#sockets.size > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

let authority: TestAuthority
let identity: NodeIdentity
let a: Port
let b: Port
let links: ServerLinks | undefined

beforeEach(async () => {
  authority = await TestAuthority.found()
  identity = await authority.identity('node', [])
  a = await Port.open(authority)
  b = await Port.open(authority)
})

afterEach(async () => {
  await links?.[Symbol.asyncDispose]()
  for (const port of [a, b]) await port[Symbol.asyncDispose]()
})

let lost = 0

function open(joinedAt: ServerAddress[], servers: ServerAddress[], formerServers: ServerAddress[] = []): ServerLinks {
  lost = 0
  links = new ServerLinks({
    ...{ joinedAt, servers, formerServers, searchAfterMs: 300 },
    credentials: { settled: async () => identity },
    services: {} as LinkServices,
    log: pino({ level: 'silent' }),
    onLost: () => {
      lost += 1
    },
  })
  return links
}

/** Nobody listens there. */
const nowhere: ServerAddress = { host: '127.0.0.1', port: 1 }

it('keeps one link to where the node has joined while no list of servers is told', async () => {
  open([a.address], [])
  await waitUntil('the link', () => a.isLinked, 20_000)
  expect(links?.isUp).toBe(true)
})

it('keeps a link to every server of the list, and none to those that are gone', async () => {
  const all = open([a.address], [])
  await waitUntil('the first link', () => a.isLinked, 20_000)
  all.update([a.address, b.address])
  await waitUntil('both links', () => a.isLinked && b.isLinked, 20_000)
  all.update([b.address])
  await waitUntil('the end of one', () => !a.isLinked, 20_000)
  expect(b.isLinked).toBe(true)
  expect(b.links).toBe(1)
})

it('links to all that it knew, after a restart, whether or not the address of its joining still exists', async () => {
  open([nowhere], [a.address, b.address])
  await waitUntil('both links', () => a.isLinked && b.isLinked, 20_000)
})

it.each(['joinedAt', 'former'])('looks for others where no server of the list can be reached (%s)', async (where) => {
  const all =
    where === 'joinedAt' ? open([b.address], [nowhere]) : open([nowhere], [{ ...nowhere, port: 2 }], [b.address])
  await waitUntil('the link that was searched for', () => b.isLinked, 20_000)
  // It tells what there is now.
  all.update([a.address])
  await waitUntil('the new one', () => a.isLinked, 20_000)
  await waitUntil('the end of the search', () => !b.isLinked, 20_000)
})

it('looks for those too that have stopped one after another while it ran', async () => {
  const all = open([nowhere], [a.address])
  await waitUntil('the link', () => a.isLinked, 20_000)
  all.update([a.address, b.address])
  await waitUntil('both links', () => b.isLinked, 20_000)
  all.update([a.address])
  await waitUntil('the end of one', () => !b.isLinked, 20_000)
  // The last one tells no list as it stops, and another is the first to be back.
  await a[Symbol.asyncDispose]()
  await waitUntil('the link that was searched for', () => b.isLinked, 20_000)
})

it('begins all links anew when told to', async () => {
  const all = open([], [a.address, b.address])
  await waitUntil('both links', () => a.isLinked && b.isLinked, 20_000)
  all.redial()
  await waitUntil('new ones', () => a.links === 2 && b.links === 2, 20_000)
})

it('tells once when no link is left', async () => {
  const all = open([], [a.address, b.address])
  await waitUntil('both links', () => a.isLinked && b.isLinked && all.isUp, 20_000)
  await a[Symbol.asyncDispose]()
  await waitUntil('the end of one', () => !a.isLinked, 20_000)
  expect(lost).toBe(0)
  await b[Symbol.asyncDispose]()
  await waitUntil('the word of it', () => lost > 0, 20_000)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(lost).toBe(1)
})
