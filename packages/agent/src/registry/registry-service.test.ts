import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Scratch } from '../testing/scratch.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { namesOf, placeOf, RegistryOrdering } from './registry.testing.ts'
import { RegistryFiles } from './registry-files.ts'
import { RegistryProcess } from './registry-process.ts'
import { RegistryService } from './registry-service.ts'

/** Debian's docker-registry, and what Docker would say to it. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
const log = pino({ level: 'silent' })
const signal = AbortSignal.timeout(600_000)

let scratch: Scratch
let directory: string
let problems: (string | undefined)[]
let service: RegistryService
let ordering: RegistryOrdering

const open = (): RegistryService =>
  new RegistryService({ directory, log, lookMs: 50, onProblem: (problem) => void problems.push(problem) })
const pid = (): Promise<number | undefined> => new RegistryProcess(new RegistryFiles(directory)).pid()
const imagesOf = async () => namesOf((await service.report({ size: false, signal })).images)

beforeEach(async () => {
  scratch = new Scratch('registry')
  directory = join(scratch.dir, 'registry')
  problems = []
  service = open()
  ordering = await RegistryOrdering.make()
})
afterEach(async () => {
  await service[Symbol.asyncDispose]()
  await scratch[Symbol.asyncDispose]()
})

describe('a registry', () => {
  it('serves by TLS of the cluster to who has a token for just that image and way', async () => {
    const [shop, blog] = [placeOf('shop', 'a'), placeOf('blog', 'b')]
    await service.run(ordering.order, { signal })
    expect((await ordering.call('GET', '/v2/')).status).toBe(401)
    expect(await ordering.push(shop, randomBytes(1000))).toBe(201)
    expect(await ordering.status(shop)).toBe(200)
    expect(await ordering.status(shop, ordering.token(blog, ['pull']))).toBe(401)
    expect(await ordering.push(shop, randomBytes(1000), ordering.token(shop, ['pull']))).toBe(401)
    expect(await ordering.status(shop, ordering.token(shop, ['pull'], { exp: 1_000 }))).toBe(401)
    const stranger = await RegistryOrdering.make()
    expect(await ordering.status(shop, stranger.token(shop, ['pull']))).toBe(401)
    const report = await service.report({ size: true, signal })
    expect(report).toMatchObject({ order: ordering.order.id, running: true })
    expect(namesOf(report.images)).toEqual(namesOf([shop]))
    expect(report.sizeBytes).toBeGreaterThan(1000)
    expect(report.freeBytes).toBeGreaterThan(0)
  })

  it('goes on without its agent, is taken up by the next one, and started again when it has ended', async () => {
    await service.run(ordering.order, { signal })
    const first = await pid()
    await service[Symbol.asyncDispose]()
    expect(await pid()).toBe(first)
    service = open()
    await service.resume()
    expect(await service.report({ size: false, signal })).toMatchObject({ order: ordering.order.id, running: true })
    process.kill(first ?? 0, 'SIGKILL')
    await waitUntil('it to be started again', async () => ![undefined, first].includes(await pid()))
    await waitUntil(
      'it to answer',
      async () => (await ordering.call('GET', '/v2/').catch(() => undefined)) !== undefined,
    )
  })

  it('is as the last order says', async () => {
    await service.run(ordering.order, { signal })
    expect(await ordering.push(placeOf('shop', 'a'), randomBytes(100))).toBe(201)
    const next = await RegistryOrdering.make('127.0.0.1', ordering.authority)
    await service.run(next.order, { signal })
    await expect(ordering.call('GET', '/v2/')).rejects.toThrow(/ECONNREFUSED/)
    expect(await next.status(placeOf('shop', 'a'))).toBe(200)
  })

  it('says who has its port, and goes on as before', async () => {
    await service.run(ordering.order, { signal })
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const wanted = { ...ordering.order, id: 'other', port }
    await expect(service.run(wanted, { signal })).rejects.toMatchObject({
      code: 'registry.port-taken',
      message: expect.stringMatching(new RegExp(`127.0.0.1:${port}: process ${process.pid} .* listens there; stop it`)),
    })
    other.close()
    expect(await service.report({ size: false, signal })).toMatchObject({ order: ordering.order.id, running: true })
  })

  it('leaves nothing of an order that it cannot obey', async () => {
    const broken = { ...ordering.order, certificatePem: 'no certificate' }
    await expect(service.run(broken, { signal })).rejects.toMatchObject({ code: 'registry.start-failed' })
    expect(await service.report({ size: false, signal })).toMatchObject({ running: false, images: [] })
    expect(existsSync(join(directory, 'key.pem'))).toBe(false)
    service = open()
    await service.resume()
    expect((await service.report({ size: false, signal })).order).toBeUndefined()
  })

  it('on a full disk refuses what is pushed, gives what it has, and takes more when there is room again', async () => {
    const images = join(directory, 'images')
    mkdirSync(images, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', images])
    await service.run(ordering.order, { signal })
    const [kept, old, large] = [placeOf('shop', '1'), placeOf('shop', '2'), placeOf('blog', '3')]
    expect(await ordering.push(kept, randomBytes(500_000))).toBe(201)
    expect(await ordering.push(old, randomBytes(900_000))).toBe(201)
    const layer = randomBytes(1_000_000)
    const refused = await ordering.push(large, layer).catch(() => 0)
    expect([0, 500, 503]).toContain(refused)
    expect((await service.report({ size: false, signal })).freeBytes).toBeLessThan(1_000_000)
    expect(await imagesOf()).toEqual(namesOf([kept, old]))
    expect(await ordering.status(kept)).toBe(200)
    expect(await service.collect([old], { signal })).toMatchObject({ removed: 1 })
    // What was cut off lies there for a day; a smaller one has room.
    expect(await ordering.push(large, randomBytes(200_000))).toBe(201)
    expect(await ordering.status(kept)).toBe(200)
  })

  it('goes first where memory is short', async () => {
    await service.run(ordering.order, { signal })
    expect(readFileSync(`/proc/${await pid()}/oom_score_adj`, 'utf8').trim()).toBe('500')
  })

  it('keeps its images when it ends, and loses them when they are purged', async () => {
    await service.run(ordering.order, { signal })
    await ordering.push(placeOf('shop', 'a'), randomBytes(100))
    await service.end({ purge: false })
    expect(await pid()).toBeUndefined()
    expect(await imagesOf()).toEqual(namesOf([placeOf('shop', 'a')]))
    await service.end({ purge: true })
    expect(existsSync(directory)).toBe(false)
  })
})

it('what an app has in it says what it was built from, as far as it can', async () => {
  await service.run(ordering.order, { signal })
  const [plain, labelled, other] = [placeOf('shop', '1'), placeOf('shop', '2'), placeOf('blog', '3')]
  await ordering.push(plain, randomBytes(1_000))
  const more = { created: '2026-11-30T20:00:00Z', config: { Labels: { 'berth.commit': 'trunk@7' } } }
  await ordering.push(labelled, randomBytes(2_000), undefined, more)
  await ordering.push(other, randomBytes(100))
  const { images } = await service.report({ size: false, app: 'shop', signal })
  const pushedAt = expect.any(Number)
  expect(images).toHaveLength(2)
  expect(images).toContainEqual({ ...plain, pushedAt, bytes: 1_000 })
  const builtAt = Date.parse('2026-11-30T20:00:00Z')
  expect(images).toContainEqual({ ...labelled, pushedAt, bytes: 2_000, commit: 'trunk@7', builtAt })
  expect((await service.report({ size: false, app: 'nobody', signal })).images).toEqual([])
})

describe('a collection of garbage', () => {
  it('removes what it is told, and the layers that nothing else has; the rest can be pulled and pushed as before', async () => {
    await service.run(ordering.order, { signal })
    const [shared, own] = [randomBytes(300_000), randomBytes(500_000)]
    const [old, kept, gone] = [placeOf('shop', '1'), placeOf('shop', '2'), placeOf('blog', '3')]
    await ordering.push(old, own)
    await ordering.push(kept, shared)
    await ordering.push(gone, shared)
    const before = await service.report({ size: true, signal })
    const collected = await service.collect([old, gone, placeOf('never', '4')], { signal })
    expect(collected).toMatchObject({ removed: 2 })
    expect(collected.freedBytes).toBeGreaterThanOrEqual(500_000)
    const after = await service.report({ size: true, signal })
    expect(namesOf(after.images)).toEqual(namesOf([kept]))
    expect(after.sizeBytes).toBeLessThan((before.sizeBytes ?? 0) - 499_000)
    expect(after.collected).toEqual(collected)
    expect(await ordering.status(kept)).toBe(200)
    expect(await ordering.status(old)).toBe(404)
    // What went can come again.
    expect(await ordering.push(old, own)).toBe(201)
    expect(await ordering.push(gone, shared)).toBe(201)
    expect((await imagesOf()).length).toBe(3)
  })

  it('of an empty registry does nothing', async () => {
    await service.run(ordering.order, { signal })
    expect(await service.collect([], { signal })).toMatchObject({ removed: 0 })
    expect(await ordering.push(placeOf('shop', 'a'), randomBytes(100))).toBe(201)
  })

  it('refuses what is pushed meanwhile, and loses nothing of what can be pulled', async () => {
    await service.run(ordering.order, { signal })
    const kept = placeOf('shop', '1')
    await ordering.push(kept, randomBytes(1_000_000))
    let isOver = false
    const statuses: number[] = []
    const pushing = (async () => {
      for (let count = 0; !isOver && count < 10_000; count += 1)
        statuses.push(await ordering.push(placeOf('blog', '2'), randomBytes(1000)).catch(() => 0))
    })()
    await service.collect([], { signal })
    isOver = true
    await pushing
    // Refused while it was read-only, or cut while it was started anew; whatever was answered with yes is there.
    expect(statuses.every((status) => [0, 201, 404, 405].includes(status))).toBe(true)
    expect(await ordering.status(kept)).toBe(200)
    expect(await ordering.push(placeOf('blog', '2'), randomBytes(1000))).toBe(201)
    expect(await ordering.status(placeOf('blog', '2'))).toBe(200)
  })

  it('takes away what a push left that was cut off before its tag, and keeps the rest', async () => {
    await service.run(ordering.order, { signal })
    const [kept, cut] = [placeOf('shop', '1'), placeOf('blog', '2')]
    await ordering.push(kept, randomBytes(1000))
    await ordering.push(cut, randomBytes(1_000_000))
    const repositories = join(new RegistryFiles(directory).images, 'docker/registry/v2/repositories')
    rmSync(join(repositories, cut.repository, '_manifests/tags'), { recursive: true })
    expect((await service.collect([], { signal })).freedBytes).toBeGreaterThan(900_000)
    expect(await ordering.status(kept)).toBe(200)
    expect(await ordering.push(cut, randomBytes(1000))).toBe(201)
  })

  it('that an agent did not live to end is ended by the next one, and pushes are taken again', async () => {
    await service.run(ordering.order, { signal })
    await service[Symbol.asyncDispose]()
    const files = new RegistryFiles(directory)
    const program = new RegistryProcess(files)
    await program.stop()
    await files.configure(ordering.order, 'read-only')
    await program.start(ordering.order, signal)
    expect(await ordering.push(placeOf('shop', 'a'), randomBytes(100))).toBe(405)
    // What collects is told by its words; this one would go on for ever.
    const collector = spawn('/bin/sh', ['-c', 'while :; do sleep 1; done', 'x', 'garbage-collect', files.configuration])
    const ended = once(collector, 'exit')
    service = open()
    await service.resume()
    const pushed = () => ordering.push(placeOf('shop', 'a'), randomBytes(100)).catch(() => 0)
    await waitUntil('pushes to be taken', async () => (await pushed()) === 201)
    await ended
  })

  it('is refused where there is none, and of names that are none', async () => {
    await expect(service.collect([], { signal })).rejects.toMatchObject({ code: 'registry.not-here' })
    await service.run(ordering.order, { signal })
    const bad = { repository: 'berth/app-shop/../..', tag: 'a'.repeat(64) }
    await expect(service.collect([bad], { signal })).rejects.toThrow(/no place of an image/)
  })
})

it('its files are for nobody else, and what servers sign with is not among them', async () => {
  await service.run(ordering.order, { signal })
  expect(readFileSync(join(directory, 'tokens.pem'), 'utf8')).not.toContain('PRIVATE')
  expect(readFileSync(join(directory, 'config.yml'), 'utf8')).not.toContain('PRIVATE')
})
