import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { agentAlpn } from '@berth/api/agent-protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestAuthority } from '../testing/test-authority.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { AgentLink } from './agent-link.ts'
import type { LinkServices } from './link-services.ts'

let authority: TestAuthority
let server: Server
let dialled: number
let why: string

/** A server that lets nobody in, and says why. */
beforeEach(async () => {
  authority = await TestAuthority.found()
  const { keyPem: key, certificatePem: cert } = await authority.server()
  const ca = authority.certificatePem
  dialled = 0
  server = createServer({ key, cert, ca, requestCert: true, ALPNProtocols: [agentAlpn] }, (socket) => {
    dialled += 1
    socket.on('error', () => undefined)
    const session = connectHttp2('https://agent', { createConnection: () => socket })
    session.on('error', () => undefined)
    session.goaway(constants.NGHTTP2_NO_ERROR, 0, Buffer.from(why))
    session.destroy()
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => void server.close())

it('writes into its log why a server ends the link, once for as long as it is the same', async () => {
  why = 'there is no node "n1"; it was removed'
  const logged: { readonly level: number; readonly msg: string }[] = []
  const log = pino({ level: 'info' }, { write: (line) => void logged.push(JSON.parse(line)) })
  const { port } = server.address() as AddressInfo
  const identity = await authority.identity('n1', [])
  const noLinks: [string, boolean][] = []
  await using _link = new AgentLink({
    servers: [{ host: '127.0.0.1', port }],
    credentials: { settled: async () => identity },
    services: {} as LinkServices,
    log,
    onNoLink: (reason, isRefusal) => void noLinks.push([reason, isRefusal]),
  })
  const told = () => logged.filter(({ msg }) => msg === `the server ended the link: ${why}`)
  await waitUntil('to be refused three times', () => dialled >= 3 && told().length > 0)
  expect(told()).toHaveLength(1)
  expect(noLinks).toEqual([
    [why, false],
    [why, true],
  ])
  why = 'its certificate is not the one that node n1 was given last'
  await waitUntil('the other reason', () => told().length > 0)
  expect(logged.filter(({ msg }) => msg === 'linked to the server')).toHaveLength(1)
})
