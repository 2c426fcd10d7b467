import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { openAuthority } from '../authority/authority.ts'
import { Certificates } from '../certificates/certificates.ts'
import { TestCluster, testSpec, webRoute } from '../controllers/cluster.testing.ts'
import { Acme } from './acme.ts'
import { AcmeKeeper, certificateName } from './acme-keeper.ts'
import { type Pebble, startPebble } from './pebble-process.testing.ts'

const call = { actor: 'token:ann' }
const key = { text: '', derive: (purpose: string) => Buffer.from(purpose.padEnd(32, '.').slice(0, 32)) } as never
const log = pino({ level: 'silent' })
const dayMs = 86_400_000

let pebble: Pebble
let answering: Server
let cluster: TestCluster
let acme: Acme
let certificates: Certificates
let aheadMs: number
/** Paths that the authority looked for. */
let looked: string[]

beforeAll(async () => {
  pebble = await startPebble()
  // In place of nginx: answers by the table that the gateway was given.
  answering = createServer((request, response) => {
    looked.push(request.url ?? '')
    const routes = cluster.node.table?.routes ?? []
    const found = routes.find(({ host, path }) => path === request.url && host === request.headers.host?.split(':')[0])
    response.writeHead(found?.answer === undefined ? 404 : 200).end(found?.answer)
  }).listen(pebble.httpPort, '127.0.0.1')
  await once(answering, 'listening')
}, 60_000)
afterAll(async () => {
  answering.closeAllConnections()
  answering.close()
  await pebble[Symbol.asyncDispose]()
})

beforeEach(async () => {
  aheadMs = 0
  looked = []
  cluster = await TestCluster.start()
  const now = () => Date.now() + aheadMs
  acme = new Acme(cluster.records, key, cluster.traffic, now)
  certificates = new Certificates({ records: cluster.records, key, log, now })
  cluster.commits.set('c1', testSpec({ web: { replicas: 1 } }, { routes: [{ ...webRoute, tls: 'redirect' }] }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const keep = () =>
  new AcmeKeeper({
    ...{ records: cluster.records, acme, certificates, log, lookMs: 20, now: () => Date.now() + aheadMs },
    isInForce: (revision) => cluster.traffic.isInForce(revision),
  })
const on = () => acme.set({ directoryUrl: pebble.directoryUrl, email: 'ops@example.com', caPem: pebble.caPem }, call)
const record = () => cluster.state.certificates.get(certificateName('shop.test'))

it('obtains a certificate that gateways get, with HTTP-01 at them, and renews it in time', async () => {
  await on()
  await using _keeper = keep()
  await cluster.until('the certificate', () => record() !== undefined, 60_000)
  expect(record()).toMatchObject({ hosts: ['shop.test'], acme: true, updatedBy: 'system:acme' })
  // It looks from several places.
  expect([...new Set(looked)]).toEqual([expect.stringMatching(/^\/\.well-known\/acme-challenge\/[\w-]+$/)])
  const [given] = certificates.all()
  expect(new X509Certificate(given?.certificatePem ?? '').checkHost('shop.test')).toBe('shop.test')
  expect(given?.keyPem).toContain('PRIVATE KEY')
  await cluster.until('the challenge to be gone', () => cluster.state.acmeChallenges.size === 0)
  await cluster.until('gateways not to answer it', () => cluster.node.table?.routes.length === 1)
  expect(acme.hosts()).toMatchObject([{ host: 'shop.test', state: 'held' }])
  const { notBefore = 0, notAfter = 0, version = 0 } = record() ?? {}
  aheadMs = notAfter - Date.now() - (notAfter - notBefore) / 3 + dayMs
  await cluster.until('another one', () => (record()?.version ?? 0) > version, 60_000)
}, 180_000)

it('keeps the account’s key sealed, and takes a certificate that somebody gives for the own', async () => {
  const account = await on()
  expect(account.sealedKey).not.toContain('PRIVATE')
  expect(acme.accountKeyPem(account)).toContain('PRIVATE KEY')
  const again = await on()
  expect(acme.accountKeyPem(again)).toBe(acme.accountKeyPem(account))
  const given = await certificates.set('mine', await sample(), call)
  expect(acme.hosts()).toEqual([{ host: 'shop.test', state: 'own', notAfter: given.notAfter }])
})

it('notes why it failed, waits, and is asked anew once it is told to', async () => {
  await acme.set({ directoryUrl: 'https://127.0.0.1:1/dir' }, call)
  await using _keeper = keep()
  await cluster.until('the failure', () => cluster.state.acmeFailures.size === 1, 60_000)
  expect(acme.hosts()).toMatchObject([
    { host: 'shop.test', state: 'waits', message: expect.stringContaining('127.0.0.1:1') },
  ])
  expect([...cluster.state.events.values()].filter(({ type }) => type === 'acme.failed')).toHaveLength(1)
  await on()
  await cluster.until('the certificate', () => record() !== undefined, 60_000)
  await cluster.until('the failure to be forgotten', () => cluster.state.acmeFailures.size === 0)
}, 120_000)

it('asks nobody while no gateway has taken in the answer, nor after it was told to stop', async () => {
  await expect(acme.set({ directoryUrl: 'http://pebble/dir' }, call)).rejects.toMatchObject({
    code: 'acme.invalid-directory',
  })
  for (const email of ['nonsense', 'ops@localhost', 'a@b.example, c@d.example', 'Ops <ops@example.com>'])
    await expect(acme.set({ directoryUrl: 'https://pebble.example/dir', email }, call)).rejects.toMatchObject({
      code: 'acme.invalid-email',
    })
  cluster.node.gatewayStuck = true
  await on()
  await using _keeper = keep()
  await cluster.until('the challenge', () => cluster.state.acmeChallenges.size === 1, 60_000)
  await acme.remove(call)
  expect([acme.account, looked]).toEqual([undefined, []])
}, 120_000)

async function sample(): Promise<{ certificatePem: string; keyPem: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-acme-'))
  try {
    return await (await openAuthority(directory)).serverCertificate(['shop.test'])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
