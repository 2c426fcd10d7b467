import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestDockerd } from '../build/dockerd.testing.ts'
import { registryLogin, TestRegistry } from '../testing/test-registry.ts'
import { DockerClient } from './docker-client.ts'
import { DockerEngine } from './docker-engine.ts'

/** Debian's docker-registry with a password file, and a real Docker. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })
const logged: string[] = []
const log = pino({ level: 'trace' }, { write: (line) => void logged.push(line) })
const dockerd = new TestDockerd()
let registry: TestRegistry
let client: DockerClient
let engine: DockerEngine
let image: string

beforeAll(async () => {
  await dockerd.start()
  client = new DockerClient(dockerd.socketPath, log)
  engine = new DockerEngine({ client })
  await using open = await TestRegistry.start(dockerd.dir, { open: true })
  dockerd.importBusybox(`${open.host}/team/base:1`)
  dockerd.docker('push', `${open.host}/team/base:1`)
  dockerd.docker('rmi', `${open.host}/team/base:1`)
  registry = await TestRegistry.start(dockerd.dir)
  image = `${registry.host}/team/base:1`
})
afterAll(async () => {
  await client?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  await dockerd[Symbol.asyncDispose]()
})

const options = (login?: { username: string; password: string }) => ({
  signal: AbortSignal.timeout(30_000),
  ...(login === undefined ? {} : { login: { host: registry.host, ...login } }),
})

describe('an image of a private registry', () => {
  it.each([
    ['without a login', undefined],
    ['with a wrong password', { username: 'ann', password: 'wrong-password' }],
    ['with an unknown user', { username: 'bob', password: registryLogin.password }],
  ])('is not pulled %s, and the error says what to do', async (_, login) => {
    await expect(engine.pullImage(image, options(login))).rejects.toMatchObject({
      code: 'engine.image-unavailable',
      message: expect.stringContaining('berth registry login'),
    })
    expect(await engine.inspectImage(image)).toBeUndefined()
  })

  it('is pulled with the right one, which Docker does not keep and nobody logs', async () => {
    await engine.pullImage(image, options(registryLogin))
    expect(await engine.inspectImage(image)).toMatchObject({ id: expect.stringMatching(/^sha256:/) })
    dockerd.docker('rmi', image)
    await expect(engine.pullImage(image, options())).rejects.toMatchObject({ code: 'engine.image-unavailable' })
    const all = logged.join('')
    expect(all).not.toContain(registryLogin.password)
    expect(all).not.toContain('wrong-password')
    expect(all).not.toContain('X-Registry-Auth')
  })
})
