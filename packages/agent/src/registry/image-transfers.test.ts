import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RegistryPlace, registryPlace } from '@berth/core'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestDockerd } from '../build/dockerd.testing.ts'
import { DockerClient } from '../engine/docker-client.ts'
import { ImageTransfers } from './image-transfers.ts'
import { RegistryOrdering } from './registry.testing.ts'
import { RegistryService } from './registry-service.ts'

/** A real Docker and Debian's docker-registry. Docker asks registries of the loopback for no certificate: the end-to-end test has others. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })
const logged: string[] = []
const log = pino({ level: 'trace' }, { write: (line) => void logged.push(line) })
const signal = AbortSignal.timeout(600_000)
const dockerd = new TestDockerd()
const certsDirectory = join(dockerd.dir, 'certs.d')
let client: DockerClient
let service: RegistryService
let ordering: RegistryOrdering
let transfers: ImageTransfers

beforeAll(async () => {
  await dockerd.start()
  client = new DockerClient(dockerd.socketPath, log)
  ordering = await RegistryOrdering.make()
  service = new RegistryService({ directory: join(dockerd.dir, 'registry'), log, onProblem: () => undefined })
  await service.run(ordering.order, { signal })
  const authorityPem = async (): Promise<string> => ordering.authority.certificatePem
  transfers = new ImageTransfers({ client, authorityPem, certsDirectory })
})
afterAll(async () => {
  await service?.end({ purge: true })
  await service?.[Symbol.asyncDispose]()
  await client?.[Symbol.asyncDispose]()
  await dockerd[Symbol.asyncDispose]()
})

const placeOf = (app: string, image: string): RegistryPlace =>
  registryPlace({ app, image }) ?? expect.fail(`${image} has no place`)
const transfer = (app: string, image: string, actions: readonly string[]) => {
  const place = placeOf(app, image)
  return { ...place, image, host: ordering.host, token: ordering.token(place, actions) }
}
const push = (app: string, image: string) => transfers.push(transfer(app, image, ['push', 'pull']), { signal })
const pull = (app: string, image: string) => transfers.pull(transfer(app, image, ['pull']), { signal })
const namesOf = (image: string): string[] =>
  JSON.parse(dockerd.docker('image', 'inspect', '--format', '{{json .RepoTags}}', image))
const idOf = (name: string): string => dockerd.docker('image', 'inspect', '--format', '{{.Id}}', name)
const has = (image: string): boolean => {
  try {
    return idOf(image) === image
  } catch {
    return false
  }
}

describe('an image', () => {
  it('goes into the registry and out of it, and bears only names of Berth’s afterwards', async () => {
    dockerd.importBusybox('berth/app-shop:abc-b-1')
    const image = idOf('berth/app-shop:abc-b-1')
    await push('shop', image)
    expect(namesOf(image)).toEqual(['berth/app-shop:abc-b-1'])
    expect(await ordering.status(placeOf('shop', image))).toBe(200)
    dockerd.docker('rmi', image)
    expect(has(image)).toBe(false)
    await pull('shop', image)
    expect(has(image)).toBe(true)
    expect(namesOf(image)).toEqual([`berth/app-shop:${image.replace('sha256:', '')}`])
    await pull('shop', image)
    // By its name it is removed like any other of an app, and nothing of it is left.
    dockerd.docker('rmi', `berth/app-shop:${image.replace('sha256:', '')}`)
    expect(has(image)).toBe(false)
    const trust = join(certsDirectory, ordering.host, 'berth-cluster.crt')
    expect(readFileSync(trust, 'utf8')).toBe(ordering.authority.certificatePem)
  })

  it('of one app shares its layers with those of others', async () => {
    dockerd.importBusybox('base:1', 'base')
    for (const app of ['one', 'two'])
      dockerd.docker('commit', dockerd.docker('create', 'base:1', app), `berth/app-${app}:1`)
    for (const app of ['one', 'two']) await push(app, idOf(`berth/app-${app}:1`))
    for (const app of ['one', 'two']) expect(await ordering.status(placeOf(app, idOf(`berth/app-${app}:1`)))).toBe(200)
  })

  it('without a name is not lost by being pushed', async () => {
    dockerd.importBusybox('passing:1', 'nameless')
    const image = idOf('passing:1')
    const container = dockerd.docker('create', 'passing:1', 'true')
    // Its container keeps the image when its name goes to another one.
    dockerd.importBusybox('passing:1', 'another')
    dockerd.docker('rm', container)
    expect(namesOf(image)).toEqual([])
    await push('shop', image)
    expect(namesOf(image)).toEqual([`berth/app-shop:${image.replace('sha256:', '')}`])
  })

  it('that is not here cannot be pushed, one that is not there cannot be pulled', async () => {
    const nothing = `sha256:${'0'.repeat(64)}`
    await expect(push('shop', nothing)).rejects.toMatchObject({ code: 'engine.image-missing' })
    await expect(pull('shop', nothing)).rejects.toMatchObject({ code: 'engine.image-unavailable' })
  })

  it('that is another than its place says is not taken', async () => {
    dockerd.importBusybox('berth/app-shop:other', 'other')
    const other = idOf('berth/app-shop:other')
    const wanted = `sha256:${'1'.repeat(64)}`
    // A name that lies.
    const place = placeOf('shop', wanted)
    dockerd.docker('tag', other, `${ordering.host}/${place.repository}:${place.tag}`)
    await transfers.push({ ...transfer('shop', wanted, ['push', 'pull']), image: other }, { signal })
    await expect(pull('shop', wanted)).rejects.toMatchObject({ code: 'registry.other-image' })
    expect(namesOf(other)).toEqual(['berth/app-shop:other'])
  })

  it('needs a token for itself and its way', async () => {
    dockerd.importBusybox('berth/app-shop:4', '4')
    const image = idOf('berth/app-shop:4')
    const reading = { ...transfer('shop', image, ['pull']) }
    await expect(transfers.push(reading, { signal })).rejects.toMatchObject({ code: 'engine.image-unavailable' })
    expect(namesOf(image)).toEqual(['berth/app-shop:4'])
    await push('shop', image)
    dockerd.docker('rmi', image)
    const foreign = { ...transfer('shop', image, []), token: ordering.token(placeOf('blog', image), ['pull']) }
    await expect(transfers.pull(foreign, { signal })).rejects.toMatchObject({ code: 'engine.image-unavailable' })
  })

  it('has a place and a host, or nothing is done', async () => {
    const bad = { ...transfer('shop', `sha256:${'2'.repeat(64)}`, ['pull']), repository: '../etc' }
    await expect(transfers.pull(bad, { signal })).rejects.toMatchObject({ code: 'request.invalid-request' })
    const nowhere = { ...transfer('shop', `sha256:${'2'.repeat(64)}`, ['pull']), host: '../../x' }
    await expect(transfers.pull(nowhere, { signal })).rejects.toMatchObject({ code: 'registry.invalid-host' })
    expect(existsSync(join(dockerd.dir, 'x'))).toBe(false)
  })
})

it('a token is neither logged nor kept', async () => {
  dockerd.importBusybox('berth/app-shop:5', '5')
  const order = transfer('shop', idOf('berth/app-shop:5'), ['push', 'pull'])
  await transfers.push(order, { signal })
  expect(logged.join('')).not.toContain(order.token)
  expect(logged.join('')).not.toContain('X-Registry-Auth')
})
