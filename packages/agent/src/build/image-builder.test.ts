import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildEvent, BuildRequest } from '@berth/api'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DockerClient } from '../engine/docker-client.ts'
import { contextOf, TestDockerd } from './dockerd.testing.ts'
import { createImageBuilder, type ImageBuilder } from './image-builder.ts'

const log = pino({ level: 'silent' })
const dockerd = new TestDockerd()
let client: DockerClient
let builder: ImageBuilder
beforeAll(async () => {
  await dockerd.start()
  dockerd.importBusybox('test/base:1')
  client = new DockerClient(dockerd.socketPath, log)
  builder = createImageBuilder({ client, log })
})
afterAll(async () => {
  await client?.[Symbol.asyncDispose]()
  await dockerd[Symbol.asyncDispose]()
})

let count = 0
const request = (over: Partial<BuildRequest> = {}): BuildRequest => {
  count += 1
  return {
    id: `b${count}`,
    app: 'shop',
    tag: `berth/app-shop:t${count}`,
    dockerfile: 'Dockerfile',
    args: {},
    labels: {},
    cpuMilli: 1000,
    memoryBytes: 256 * 1024 ** 2,
    timeoutMs: 60_000,
    network: 'none',
    noCache: false,
    ...over,
  }
}
const context = (dockerfile: string, files: Record<string, string> = {}) =>
  Readable.from(contextOf({ Dockerfile: `FROM test/base:1\n${dockerfile}\n`, ...files }), { objectMode: false })

async function run(events: AsyncIterable<BuildEvent>) {
  const lines: string[] = []
  let last: BuildEvent | undefined
  for await (const event of events) {
    last = event
    if (event.type === 'output') lines.push(event.line)
  }
  return { lines, last }
}
const build = (dockerfile: string, over: Partial<BuildRequest> = {}, files: Record<string, string> = {}) =>
  run(builder.build(request(over), context(dockerfile, files)))
const containers = () => dockerd.docker('ps', '--all', '--quiet')
const danglingImages = () => dockerd.docker('images', '--quiet', '--filter', 'dangling=true')
const failure = (code: string, message: RegExp) => ({ type: 'failed', code, message: expect.stringMatching(message) })

/** Reads until a line is printed; the caller goes on with the rest. */
async function until(events: AsyncGenerator<BuildEvent>, line: string): Promise<void> {
  for (;;) {
    const { value, done } = await events.next()
    if (done === true) throw new Error(`the build ended before it printed ${line}`)
    if (value.type === 'output' && value.line === line) return
  }
}

describe('building an image', () => {
  test('makes it, live, with labels and arguments of any text', async () => {
    const odd = 'a "b" \'c\' $(id) $HOME \\ \n `d` # é'
    const over = { labels: { 'berth.app': 'shop', odd }, args: { ODD: odd } }
    const { lines, last } = await build('ARG ODD\nRUN printf "%s|\\n" "$ODD"; echo err >&2\nCOPY f /f', over, {
      f: 'x',
    })
    expect(last).toEqual({ type: 'done', image: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) })
    expect(lines).toEqual(expect.arrayContaining(['Step 3/6 : RUN printf "%s|\\n" "$ODD"; echo err >&2', 'err']))
    expect(lines.join('\n')).toContain(`${odd}|`)
    const image = dockerd.docker('inspect', '--format', '{{.Id}} {{json .Config.Labels}}', `berth/app-shop:t${count}`)
    expect(image).toContain(last?.type === 'done' ? last.image : 'no image')
    expect(JSON.parse(image.slice(image.indexOf('{')))).toEqual({ 'berth.app': 'shop', odd })
    expect(containers()).toBe('')
  })

  test('within its limits, at a small weight', async () => {
    const files = ['memory/memory.limit_in_bytes', 'cpu/cpu.cfs_quota_us', 'cpu/cpu.shares']
    const { lines } = await build(`RUN cd /sys/fs/cgroup && cat ${files.join(' ')} && cat /proc/self/cgroup`, {
      cpuMilli: 500,
    })
    expect(lines).toEqual(expect.arrayContaining([String(256 * 1024 ** 2), '50000', '100']))
    expect(lines.find((line) => line.includes(':cpu:') || line.includes(':cpu,'))).toContain('/berth-builds/')
  })

  test('equal steps are not run again, unless told so', async () => {
    const dockerfile = 'RUN cat /proc/sys/kernel/random/uuid > /id'
    const first = await build(dockerfile)
    expect((await build(dockerfile)).last).toEqual(first.last)
    expect((await build(dockerfile, { noCache: true })).last).not.toEqual(first.last)
  })

  test('a gigantic output comes as it is printed, in lines that are not too long', async () => {
    const { lines, last } = await build('RUN yes 0123456789 | head -n 300000; head -c 1000000 /dev/zero | tr "\\0" x')
    expect(last?.type).toBe('done')
    expect(lines.filter((line) => line === '0123456789')).toHaveLength(300_000)
    const long = lines.filter((line) => line.startsWith('xxx'))
    expect(long.join('')).toHaveLength(1_000_000)
    expect(Math.max(...long.map((line) => line.length))).toBeLessThanOrEqual(16 * 1024)
  })

  test('one at a time', async () => {
    const first = builder.build(request(), context('RUN echo one; sleep 1; echo two'))
    await until(first, 'one')
    const second = builder.build(request(), context('RUN echo three'))
    expect((await second.next()).value).toMatchObject({ line: 'waiting for 1 other build on this node' })
    const order: string[] = []
    const note = (name: string) => (result: unknown) => {
      order.push(name)
      return result
    }
    await Promise.all([run(second).then(note('second')), run(first).then(note('first'))])
    expect(order).toEqual(['first', 'second'])
  })

  test('is listed with what uses it, and goes on an order unless a container is made of it', async () => {
    const options = { signal: AbortSignal.timeout(60_000) }
    const built = await build('RUN echo to be removed')
    const tag = `berth/app-shop:t${count}`
    const found = async () => (await builder.listImages(options)).find((image) => image.reference === tag)
    const image = built.last?.type === 'done' ? built.last.image : ''
    expect(await found()).toMatchObject({ id: image, used: false, sizeBytes: expect.any(Number) })
    expect((await builder.listImages(options)).map((each) => each.reference)).not.toContain('test/base:1')
    const container = dockerd.docker('create', '--network=none', tag, 'true')
    expect(await found()).toMatchObject({ used: true })
    await expect(builder.removeImage(tag, options)).rejects.toMatchObject({ code: 'engine.rejected' })
    expect(await found()).toBeDefined()
    dockerd.docker('rm', container)
    await builder.removeImage(tag, options)
    expect(await found()).toBeUndefined()
    await builder.removeImage(tag, options)
    for (const foreign of ['test/base:1', image, 'berth/base:local', 'berth/app-x:1/../y:2']) {
      await expect(builder.removeImage(foreign, options)).rejects.toMatchObject({ code: 'request.invalid-request' })
    }
    expect(dockerd.docker('images', '--quiet', 'test/base:1')).not.toBe('')
  })

  test('earlier stages and the steps before a failure have names, by which they can go', async () => {
    const { last } = await build(
      'RUN echo 1 > /stage\nFROM test/base:1\nCOPY --from=0 /stage /\nRUN echo kept > /x\nRUN exit 4',
    )
    expect(last).toEqual(failure('build.step-failed', /step 6 of 6 \(RUN exit 4\) failed with exit code 4/))
    expect(danglingImages()).toBe('')
    const kept = dockerd.docker('images', '--format', '{{.Tag}}', 'berth/build-cache').split('\n')
    expect(kept.filter((tag) => tag.startsWith(`b${count}-`))).toHaveLength(2)
  })
})

describe('failures', () => {
  test.each<[string, string, Partial<BuildRequest>, string, RegExp]>([
    [
      'a failing step',
      'RUN ["/bin/sh","-ec","echo a; exit 3"]',
      {},
      'build.step-failed',
      /^step 2 of 2 \(echo a; exit 3\) failed with exit code 3$/,
    ],
    ['a command that is not there', 'RUN nonsense', {}, 'build.step-failed', /exit code 127/],
    [
      'a file that is not there',
      'COPY nothing /',
      {},
      'build.step-failed',
      /step 2 of 2 \(COPY nothing \/\) failed: COPY failed/,
    ],
    [
      'too little memory',
      'RUN head -c 200m /dev/zero | tail',
      { memoryBytes: 32 * 1024 ** 2 },
      'build.out-of-memory',
      /its 32 MiB/,
    ],
    ['a full disk', 'RUN dd if=/dev/zero of=/dev/shm/x bs=1M count=100', {}, 'build.disk-full', /no space left/],
    [
      'a base that is nowhere',
      'FROM no/such:base',
      {},
      'build.base-not-found',
      /base image no\/such:base is not on the node/,
    ],
    ['an unknown instruction', 'NONSENSE x', {}, 'build.dockerfile-invalid', /unknown instruction: NONSENSE/i],
    ['a missing Dockerfile', '', { dockerfile: 'other/Dockerfile' }, 'build.dockerfile-invalid', /other\/Dockerfile/],
    ['an unknown target', 'RUN true', { target: 'nope' }, 'build.dockerfile-invalid', /nope/],
    [
      'what needs BuildKit',
      'RUN --mount=type=cache,target=/x true',
      {},
      'build.dockerfile-invalid',
      /only BuildKit knows/,
    ],
    [
      'a step that lasts too long',
      'RUN echo hanging; sleep 1000',
      { timeoutMs: 1500 },
      'build.timeout',
      /step 2 of 2 .* than its 1.5 s/,
    ],
  ])('%s', async (_, dockerfile, over, code, message) => {
    expect((await build(dockerfile, over)).last).toEqual(failure(code, message))
    expect(containers()).toBe('')
    expect(danglingImages()).toBe('')
  })

  test('a context that breaks off', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(512)
        throw new Error('the source went away')
      })(),
      { objectMode: false },
    )
    expect((await run(builder.build(request(), broken))).last).toEqual(failure('engine.failed', /the source went away/))
  })
})

describe('cancelling', () => {
  const hang = 'RUN echo hanging; exec sleep 1000'

  test.each<[string, (id: string, abort: AbortController) => void]>([
    ['by the caller’s signal', (_, abort) => abort.abort()],
    ['by its id', (id) => expect(builder.cancel(id)).toBe(true)],
  ])('%s', async (_, cancel) => {
    const abort = new AbortController()
    const asked = request()
    const events = builder.build(asked, context(hang), { signal: abort.signal })
    await until(events, 'hanging')
    expect(containers()).not.toBe('')
    cancel(asked.id, abort)
    expect((await run(events)).last).toEqual(failure('build.cancelled', /was cancelled/))
    expect(containers()).toBe('')
    expect(builder.cancel(asked.id)).toBe(false)
  })

  test('by no longer reading', async () => {
    const events = builder.build(request(), context(hang))
    await until(events, 'hanging')
    await events.return(undefined)
    expect(containers()).toBe('')
  })

  test('while it waits for its turn', async () => {
    const first = builder.build(request(), context(hang))
    await until(first, 'hanging')
    const asked = request()
    const second = builder.build(asked, context(hang))
    await second.next()
    const end = run(second)
    await sleep(50)
    builder.cancel(asked.id)
    expect((await end).last).toEqual(failure('build.cancelled', /was cancelled/))
    await first.return(undefined)
    expect((await build('RUN echo free again')).last?.type).toBe('done')
  })

  test('what a build prints cannot make another container be removed', async () => {
    const victim = dockerd.docker('run', '--detach', '--label', 'berth.instance=x', 'test/base:1', 'sleep', '1000')
    const events = builder.build(
      request(),
      context(`RUN echo " ---> Running in ${victim.slice(0, 12)}"; echo hanging; sleep 1000`),
    )
    await until(events, 'hanging')
    await events.return(undefined)
    expect(dockerd.docker('ps', '--quiet', '--no-trunc')).toBe(victim)
    dockerd.docker('rm', '--force', victim)
  })
})

describe('a Docker that dies', () => {
  test('in the middle of a build: the build fails, and what is left of it is removed', async () => {
    const events = builder.build(request(), context('RUN echo hanging; exec sleep 1000'))
    await until(events, 'hanging')
    const end = run(events)
    await dockerd.kill('SIGKILL')
    await sleep(500)
    await dockerd.start()
    expect((await end).last).toEqual(failure('build.interrupted', /step 2 of 2 .* was cut off: Docker went away/))
    expect(containers()).toBe('')
  }, 60_000)

  test('together with the agent: leftovers go at the next start', async () => {
    const args = ['--cgroup-parent', '/berth-builds', 'test/base:1', 'sleep', '1000']
    dockerd.docker('run', '--detach', ...args)
    const kept = dockerd.docker('run', '--detach', 'test/base:1', 'sleep', '1000')
    await builder.removeLeftovers()
    expect(dockerd.docker('ps', '--all', '--quiet', '--no-trunc')).toBe(kept)
    dockerd.docker('rm', '--force', kept)
  })

  test('that was only lost from sight: a build under way is no leftover', async () => {
    const events = builder.build(request(), context('RUN echo begun; sleep 2; echo done'))
    await until(events, 'begun')
    await builder.removeLeftovers()
    expect((await run(events)).last?.type).toBe('done')
  })

  test('a Docker that is not there', async () => {
    const nowhere = createImageBuilder({ client: new DockerClient('/nowhere/docker.sock', log), log })
    expect((await run(nowhere.build(request(), context('RUN true')))).last).toEqual(
      failure('engine.unreachable', /nowhere/),
    )
  })
})
