import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { agentAlpn } from '@berth/api/agent-protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Credentials, TestAuthority } from '../testing/test-authority.ts'
import { dial } from './dial.ts'
import { checkEnrolment, type EnrolOptions, enrol } from './enrol.ts'
import { readIdentity } from './node-identity.ts'

let authority: TestAuthority
let server: Server
let stateDir: string
let requests: unknown[]
let answer: (body: { certificateRequestPem: string }, response: ServerResponse) => Promise<void> | void

beforeEach(async () => {
  authority = await TestAuthority.found()
  stateDir = await mkdtemp(join(tmpdir(), 'berth-enrol-'))
  requests = []
  answer = async (body, response) => {
    const certificatePem = await authority.sign(body.certificateRequestPem)
    const { certificatePem: authorityPem } = authority
    response.end(JSON.stringify({ node: 'node-b', certificatePem, authorityPem, agentPort: 7601 }))
  }
  server = await serve(await authority.server())
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await rm(stateDir, { recursive: true })
})

async function serve(credentials: Credentials): Promise<Server> {
  const chain = `${credentials.certificatePem}\n${authority.certificatePem}\n`
  const https = createServer({ key: credentials.keyPem, cert: chain }, (request, response) => {
    void readJson(request).then((body) => {
      requests.push(body)
      return answer(body as { certificateRequestPem: string }, response)
    })
  })
  https.on('tlsClientError', () => undefined)
  https.listen(0, '127.0.0.1')
  await once(https, 'listening')
  return https
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request) text += chunk
  return JSON.parse(text)
}

const options = (over: Partial<EnrolOptions> = {}): EnrolOptions => ({
  server: `127.0.0.1:${(server.address() as AddressInfo).port}`,
  token: `one-time_secret.${authority.fingerprint}`,
  name: 'node-b',
  address: '192.0.2.7',
  labels: { gateway: 'true' },
  stateDir,
  ...over,
})

describe('enrol', () => {
  it('trades a token for a certificate and writes both down', async () => {
    const identity = await enrol(options())
    expect(requests).toMatchObject([
      { token: options().token, name: 'node-b', address: '192.0.2.7', labels: { gateway: 'true' } },
    ])
    expect(identity).toMatchObject({
      name: 'node-b',
      servers: [{ host: '127.0.0.1', port: 7601 }],
      cluster: authority.fingerprint,
    })
    expect(await readIdentity(stateDir)).toEqual(identity)
    expect((await stat(join(stateDir, 'agent/credentials.pem'))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(stateDir, 'agent/node.json'), 'utf8')).not.toContain('PRIVATE')
  })

  it('refuses a second time', async () => {
    await enrol(options())
    await expect(enrol(options())).rejects.toMatchObject({ code: 'join.already-joined' })
    expect(requests).toHaveLength(1)
  })

  it('sends nothing to a server of another authority, and leaves nothing behind', async () => {
    const other = await TestAuthority.found()
    const token = `one-time_secret.${other.fingerprint}`
    await expect(enrol(options({ token }))).rejects.toMatchObject({ code: 'join.wrong-authority' })
    expect(requests).toEqual([])
    await expect(readIdentity(stateDir)).rejects.toMatchObject({ code: 'agent.not-joined' })
  })

  it('sends nothing to a node that poses as the server', async () => {
    server.close()
    server = await serve(await authority.node('node-z'))
    await expect(enrol(options())).rejects.toMatchObject({ code: 'join.server-unreachable' })
    expect(requests).toEqual([])
  })

  it('names the port that is meant when it was given the one that agents dial', async () => {
    const { keyPem: key, certificatePem: cert } = await authority.server()
    const ALPNProtocols = [agentAlpn]
    const port = createTlsServer({ key, cert, requestCert: true, rejectUnauthorized: false, ALPNProtocols }, (socket) =>
      socket.destroy(),
    )
    port.on('tlsClientError', () => undefined)
    port.listen(0, '127.0.0.1')
    await once(port, 'listening')
    const at = `127.0.0.1:${(port.address() as AddressInfo).port}`
    const told = { code: 'join.agent-port', message: expect.stringContaining(`${at} is the port that nodes dial`) }
    await expect(enrol(options({ server: at }))).rejects.toMatchObject(told)
    expect(await checkEnrolment(options({ server: at }))).toMatchObject({ problems: [told] })
    port.close()
  })

  it.each([
    ['no token', { token: 'rubbish' }, 'join.invalid-token'],
    ['no address', { server: 'http://x y' }, 'join.invalid-server'],
    ['nobody at that port', { server: '127.0.0.1:1' }, 'join.server-unreachable'],
  ])('says what is wrong with %s', async (_, over, code) => {
    await expect(enrol(options(over))).rejects.toMatchObject({ code })
  })

  it('passes on what the server says', async () => {
    answer = (_, response) => {
      const error = { code: 'join.token-used', message: 'the token was used already', retryable: false, details: {} }
      response.writeHead(403).end(JSON.stringify({ error }))
    }
    const expected = { code: 'join.token-used', message: 'the token was used already' }
    await expect(enrol(options())).rejects.toMatchObject(expected)
    await expect(readIdentity(stateDir)).rejects.toMatchObject({ code: 'agent.not-joined' })
  })
})

const hoursFromNow = (from: number, to: number) => ({
  notBefore: new Date(Date.now() + from * 3_600_000),
  notAfter: new Date(Date.now() + to * 3_600_000),
})

describe('dial', () => {
  async function agentPort(credentials: Credentials, protocols = [agentAlpn]) {
    const { keyPem: key, certificatePem: cert } = credentials
    const tls = createTlsServer({
      key,
      cert,
      ca: authority.certificatePem,
      requestCert: true,
      ALPNProtocols: protocols,
    })
    tls.on('tlsClientError', () => undefined)
    tls.on('secureConnection', (socket) => socket.on('error', () => undefined))
    tls.listen(0, '127.0.0.1')
    await once(tls, 'listening')
    return { address: { host: '127.0.0.1', port: (tls.address() as AddressInfo).port }, close: () => tls.close() }
  }
  const signal = new AbortController().signal

  it('knows a server by its name and authority, wherever it is', async () => {
    const port = await agentPort(await authority.server())
    const socket = await dial(port.address, await authority.identity('node-b', []), signal)
    expect(socket.authorized).toBe(true)
    socket.destroy()
    port.close()
  })

  it.each([
    ['a node that poses as the server', async () => agentPort(await authority.node('berth-server')), ''],
    [
      'a server of another cluster',
      async () => agentPort(await (await TestAuthority.found()).server()),
      'another authority than the cluster that this node has joined',
    ],
    [
      'a server whose certificate has ended, by the clock here',
      async () => agentPort(await authority.server(hoursFromNow(-2, -1))),
      `its certificate has ended by the clock of this machine, which says ${new Date().getFullYear()}-`,
    ],
    [
      'a server whose certificate is of the future',
      async () => agentPort(await authority.server(hoursFromNow(1, 2))),
      'its certificate is not good yet by the clock of this machine',
    ],
    ['another service', async () => agentPort(await authority.server(), ['h2']), ''],
  ])('refuses %s', async (_, open, why) => {
    const port = await open()
    const dialling = dial(port.address, await authority.identity('node-b', []), signal)
    const message = expect.stringContaining(why)
    await expect(dialling).rejects.toMatchObject({ code: 'agent.server-unreachable', message })
    port.close()
  })
})
