import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestAuthority } from '../testing/test-authority.ts'
import { NodeCredentials } from './node-credentials.ts'
import { readIdentity, writeIdentity } from './node-identity.ts'

let authority: TestAuthority
let stateDir: string
let credentials: NodeCredentials
const { signal } = new AbortController()

beforeEach(async () => {
  authority = await TestAuthority.found()
  stateDir = await mkdtemp(join(tmpdir(), 'berth-credentials-'))
  await writeIdentity(stateDir, await authority.identity('node-a', [{ host: '192.0.2.1', port: 7601 }]))
  credentials = new NodeCredentials(stateDir, await readIdentity(stateDir))
})
afterEach(async () => await rm(stateDir, { recursive: true }))

async function delivery(by = authority) {
  const { requestPem } = await credentials.request()
  return { certificatePem: await by.sign(requestPem), authorityPem: by.certificatePem }
}

describe('a renewal', () => {
  it('replaces key, certificate and authority at once, on disk before it is used', async () => {
    const before = await credentials.settled()
    const { certificatePem } = await credentials.request()
    expect(certificatePem).toBe(before.certificatePem)
    const delivered = await delivery()
    expect(await credentials.settled()).toBe(before)
    await credentials.install(delivered, { signal })
    const after = await credentials.settled()
    expect(after).toMatchObject({ name: 'node-a', servers: before.servers, cluster: before.cluster })
    expect(after.keyPem).not.toBe(before.keyPem)
    expect(after.certificatePem).toBe(delivered.certificatePem)
    expect((await readIdentity(stateDir)).certificatePem.trim()).toBe(delivered.certificatePem.trim())
    expect((await readIdentity(stateDir)).keyPem.trim()).toBe(after.keyPem.trim())
    expect((await stat(join(stateDir, 'agent/credentials.pem'))).mode & 0o777).toBe(0o600)
    expect((await credentials.request()).certificatePem).toBe(after.certificatePem)
  })

  it('to another authority keeps the name of the cluster, which containers bear', async () => {
    const next = await TestAuthority.found()
    const delivered = await delivery(next)
    const authorityPem = `${next.certificatePem}\n${authority.certificatePem}\n`
    await credentials.install({ ...delivered, authorityPem }, { signal })
    const known = await readIdentity(stateDir)
    expect(known.cluster).toBe(authority.fingerprint)
    expect(known.authorityPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  })

  it.each([
    ['nobody asked for', async () => await authority.node('node-a').then(({ certificatePem }) => certificatePem)],
    [
      'of another key',
      async () => {
        await credentials.request()
        return (await authority.node('node-a')).certificatePem
      },
    ],
    [
      'of another node',
      async () => {
        await credentials.request()
        return (await authority.node('node-b')).certificatePem
      },
    ],
    ['of another authority', async () => (await delivery(await TestAuthority.found())).certificatePem],
    [
      'that is none',
      async () => {
        await credentials.request()
        return 'rubbish'
      },
    ],
  ])('refuses a certificate %s, and keeps what it has', async (_, make) => {
    const certificatePem = await make()
    const given = { certificatePem, authorityPem: authority.certificatePem }
    const before = await credentials.settled()
    await expect(credentials.install(given, { signal })).rejects.toMatchObject({ code: 'agent.unexpected-certificate' })
    expect(await credentials.settled()).toBe(before)
    expect((await readIdentity(stateDir)).certificatePem.trim()).toBe(before.certificatePem.trim())
  })

  it('that comes by a link which is lost by then is not taken', async () => {
    const delivered = await delivery()
    await expect(credentials.install(delivered, { signal: AbortSignal.abort() })).rejects.toThrow()
    expect((await credentials.settled()).certificatePem).not.toBe(delivered.certificatePem)
  })

  it('is waited for by the next connection while it is written', async () => {
    const delivered = await delivery()
    const installing = credentials.install(delivered, { signal })
    expect((await credentials.settled()).certificatePem).toBe(delivered.certificatePem)
    await installing
  })

  it('that cannot be written changes nothing', async () => {
    const before = await credentials.settled()
    const delivered = await delivery()
    // A file where the folder should be: nothing can be written there.
    await rm(join(stateDir, 'agent'), { recursive: true })
    await writeFile(join(stateDir, 'agent'), '')
    await expect(credentials.install(delivered, { signal })).rejects.toThrow()
    expect(await credentials.settled()).toBe(before)
    expect(await readdir(stateDir)).toEqual(['agent'])
    expect(await readFile(join(stateDir, 'agent'), 'utf8')).toBe('')
  })
})
