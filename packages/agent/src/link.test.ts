import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { LogLine } from '@berth/api'
import { decodeExecFrame, type ExecChannel, encodeExecFrame, execChannel } from '@berth/api/exec-frames'
import type { Assignment } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { readFrames, readLines, withLength } from './link/stream-io.ts'
import { TestNode, testAssignment } from './testing/test-node.ts'
import { waitUntil } from './testing/wait-until.ts'

/** The streams of a link, over real TLS, to a real Docker. */
// Real machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
let node: TestNode
let next = 0

beforeAll(async () => {
  node = await TestNode.start({ ping: { intervalMs: 500, timeoutMs: 15_000 }, metricsListen: '127.0.0.1:7602' })
})
afterAll(async () => await node?.[Symbol.asyncDispose]())
afterEach((context) => {
  if (context.task.result?.state === 'fail') process.stderr.write(node.log.slice(-6000))
})

async function run(change: Partial<Assignment> = {}): Promise<Assignment> {
  next += 1
  const assignment = testAssignment(next, change)
  node.server.assign(assignment)
  await node.server.ready(assignment.instance)
  return assignment
}

/** A command in an instance, as the server drives it. */
class Exec {
  readonly #stream
  readonly #frames: AsyncGenerator<Buffer>
  stdout = ''
  stderr = ''
  end: { channel: number; text: string } | undefined

  constructor(instance: string, command: readonly string[], options: Record<string, string> = {}) {
    const query = new URLSearchParams(options)
    for (const part of command) query.append('command', part)
    this.#stream = node.server.open('POST', `/v1/instances/${instance}/exec?${query}`, false)
    this.#stream.on('error', () => undefined)
    this.#frames = readFrames(this.#stream)
  }

  send(channel: ExecChannel, text = ''): void {
    this.#stream.write(withLength(encodeExecFrame(channel, Buffer.from(text))))
  }

  async read(until: () => boolean = () => false): Promise<this> {
    for (let frame = await this.#frames.next(); frame.done !== true; frame = await this.#frames.next()) {
      const { channel, payload } = decodeExecFrame(frame.value)
      const text = Buffer.from(payload).toString()
      if (channel === execChannel.stdout) this.stdout += text
      else if (channel === execChannel.stderr) this.stderr += text
      else this.end = { channel, text }
      if (this.end !== undefined || until()) break
    }
    return this
  }

  cut(): void {
    this.#stream.close()
  }
}

const shell = (script: string): string[] => ['sh', '-c', script]

describe('exec', () => {
  it.each([
    [
      'both outputs and the exit code',
      shell('echo out; echo err >&2; exit 7'),
      { stdout: 'out\n', stderr: 'err\n' },
      7,
    ],
    ['arguments as they are', ['echo', '$HOME; `id`', "it's"], { stdout: "$HOME; `id` it's\n", stderr: '' }, 0],
    ['much output', shell('seq 1 200000 | tail -c 1000000 | wc -c'), { stdout: '1000000\n', stderr: '' }, 0],
  ])('gives %s', async (_, command, expected, code) => {
    const { instance } = await run()
    const exec = await new Exec(instance, command).read()
    expect(exec).toMatchObject(expected)
    expect(exec.end).toEqual({ channel: execChannel.exit, text: JSON.stringify({ code }) })
  })

  it('passes input on, to its end', async () => {
    const { instance } = await run()
    const exec = new Exec(instance, shell('cat; echo done'))
    exec.send(execChannel.stdin, 'one\n')
    exec.send(execChannel.stdin, 'two\n')
    exec.send(execChannel.stdinEnd)
    await exec.read()
    expect(exec.stdout).toBe('one\ntwo\ndone\n')
  })

  it('gives a terminal of the right size, which follows the window', async () => {
    const { instance } = await run()
    const command = shell('while read line; do [ "$line" = end ] && exit 5; stty size; done')
    const exec = new Exec(instance, command, { tty: 'true', columns: '100', rows: '30' })
    exec.send(execChannel.stdin, '\n')
    await exec.read(() => exec.stdout.includes('30 100'))
    exec.send(execChannel.resize, JSON.stringify({ columns: 60, rows: 20 }))
    await waitUntil('the new size', async () => {
      exec.stdout = ''
      exec.send(execChannel.stdin, '\n')
      await exec.read(() => /\d+ \d+/.test(exec.stdout))
      return exec.stdout.includes('20 60')
    })
    exec.send(execChannel.stdin, 'end\n')
    await exec.read()
    expect(exec.end?.text).toBe(JSON.stringify({ code: 5 }))
  })

  it('ends the command when nobody listens any more', async () => {
    const { instance } = await run()
    const exec = new Exec(instance, shell('echo on; exec sleep 4321'))
    await exec.read(() => exec.stdout !== '')
    exec.cut()
    await waitUntil('the command to end', () => !node.host.docker('top', instance).includes('sleep 4321'))
  })

  it.each([
    ['an unknown instance', 'shop.production.web-999', ['true'], 404, 'instance.not-found'],
    ['no command', undefined, [], 400, 'request.invalid-request'],
  ])('refuses %s', async (_, instance, command, status, code) => {
    const known = instance ?? (await run()).instance
    const query = command.map((part) => `command=${part}`).join('&')
    const answer = await node.server.request('POST', `/v1/instances/${known}/exec?${query}`, {})
    expect(answer).toMatchObject({ status, body: { error: { code } } })
  })

  it('says what cannot be run', async () => {
    const { instance } = await run()
    const exec = await new Exec(instance, ['/no/such/program']).read()
    const said = `${exec.stdout}${exec.stderr}${exec.end?.text}`
    expect(said).toMatch(/no such file|"code":12[67]/)
  })
})

describe('logs', () => {
  it('give the last lines of both streams, with their times', async () => {
    const startedAt = Date.now()
    const { instance } = await run({
      command: shell('for i in 1 2 3; do echo line $i; done; echo bad >&2; sleep 60'),
      ports: [],
    })
    await waitUntil('four lines', async () => (await node.server.logs(instance)).length === 4)
    const lines = await node.server.logs(instance, '?tail=2')
    expect(lines).toHaveLength(2)
    const all = await node.server.logs(instance)
    expect(all.filter(({ stream }) => stream === 'stdout').map(({ line }) => line)).toEqual([
      'line 1',
      'line 2',
      'line 3',
    ])
    expect(all.filter(({ stream }) => stream === 'stderr').map(({ line }) => line)).toEqual(['bad'])
    for (const { at } of all) expect(at).toBeGreaterThanOrEqual(startedAt - 1_000)
    expect(await node.server.logs(instance, `?sinceMs=${Date.now() + 5_000}`)).toEqual([])
  })

  it('give long lines whole', async () => {
    const { instance } = await run({
      command: shell('head -c 100000 /dev/zero | tr "\\0" x; echo; echo short; sleep 60'),
      ports: [],
    })
    await waitUntil('both lines', async () => (await node.server.logs(instance)).length === 2)
    const [long, short] = await node.server.logs(instance)
    expect(long?.line).toBe('x'.repeat(100_000))
    expect(short?.line).toBe('short')
  })

  it('follow over a crash, a restart of Docker, and to the end of the instance', async () => {
    const command = shell(
      'echo run $(cat /proc/uptime | cut -d. -f1); while [ ! -e /tmp/die ]; do sleep 0.1; done; rm /tmp/die; echo dying; exit 1',
    )
    const { instance } = await run({ command, ports: [] })
    const lines: LogLine[] = []
    const stream = node.server.open('GET', `/v1/instances/${instance}/logs?follow=true`)
    const reading = (async () => {
      for await (const line of readLines(stream, 1e6)) lines.push(JSON.parse(line))
    })()
    const runs = (count: number) =>
      waitUntil(`run ${count}`, () => lines.filter(({ line }) => line.startsWith('run')).length === count)
    // The container may end before the command that ends it has.
    const end = () => node.host.docker('exec', '--detach', instance, 'touch', '/tmp/die')
    await runs(1)
    end()
    await runs(2)
    await node.host.killDockerd('SIGKILL')
    await node.host.startDockerd()
    end()
    await runs(3)
    node.server.change(instance, { desired: 'stop', stopGraceMs: 0 })
    await reading
    expect(lines.map(({ line }) => line.split(' ')[0])).toEqual(['run', 'dying', 'run', 'dying', 'run'])
  })

  it('wait for an instance that has no container yet', async () => {
    const image = node.host.importImage('soon:1', ['ENV SOON=yes'])
    const archive = join(node.host.dir, 'soon.tar')
    node.host.docker('save', '-o', archive, 'soon:1')
    node.host.docker('rmi', 'soon:1')
    next += 1
    const assignment = testAssignment(next, { image })
    node.server.assign(assignment)
    await node.server.status(assignment.instance, 'known', (status) => status.messageCode === 'image-missing')
    const stream = node.server.open('GET', `/v1/instances/${assignment.instance}/logs?follow=true`)
    const first = once(stream, 'data')
    await node.server.request('POST', '/v1/images/resolve', { image: 'soon:1' })
    node.server.open('PUT', '/v1/images', false).end(readFileSync(archive))
    const [chunk] = await first
    expect(JSON.parse(String(chunk))).toMatchObject({ stream: 'stdout', line: 'started' })
    stream.close()
  })

  it('are not there for an unknown instance', async () => {
    const answer = await node.server.request('GET', '/v1/instances/shop.production.web-998/logs')
    expect(answer).toMatchObject({ body: { error: { code: 'instance.not-found' } } })
  })
})

describe('images', () => {
  it('of apps arrive with their names, though they are asked for by their ids: what has none is never removed', async () => {
    const name = 'berth/app-copied:1f0c-b-1'
    const image = node.host.importImage(name, ['ENV COPIED=app'])
    const stream = node.server.open('GET', `/v1/images/${encodeURIComponent(image)}/archive`)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    node.host.docker('rmi', name)
    const upload = node.server.open('PUT', '/v1/images', false)
    await pipeline(chunks, upload)
    const answer: string[] = []
    for await (const line of readLines(upload, 1e6)) answer.push(line)
    expect(JSON.parse(answer.join(''))).toEqual({ image })
    const { body } = await node.server.request('GET', '/v1/images')
    expect(body).toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ id: image })]) })
    node.host.docker('rmi', name)
  })

  it('are copied as archives and named by their ids', async () => {
    const image = node.host.importImage('copied:1', ['ENV COPIED=yes'])
    const stream = node.server.open('GET', `/v1/images/${encodeURIComponent(image)}/archive`)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    node.host.docker('rmi', 'copied:1')
    const upload = node.server.open('PUT', '/v1/images', false)
    await pipeline(chunks, upload)
    const answer: string[] = []
    for await (const line of readLines(upload, 1e6)) answer.push(line)
    expect(JSON.parse(answer.join(''))).toEqual({ image })
    const resolved = await node.server.request('POST', '/v1/images/resolve', { image })
    expect(resolved).toEqual({ status: 200, body: { image } })
  })

  it('that Docker does not take are refused with what it says, however much is still to come', async () => {
    const upload = node.server.open('PUT', '/v1/images', false)
    const status = once(upload, 'response')
    const rubbish = Array.from({ length: 256 }, () => Buffer.alloc(65_536, 'rubbish'))
    const sent = pipeline(rubbish, upload).catch(() => undefined)
    expect((await status)[0][':status']).toBe(500)
    const answer: string[] = []
    for await (const line of readLines(upload, 1e6)) answer.push(line)
    expect(answer.join('')).toMatch(/load an image archive: .*tar/)
    await sent
  })

  it.each([
    ['GET', '/v1/images/none%3A1/archive', undefined, 404, 'engine.image-missing'],
    ['POST', '/v1/images/resolve', { image: 'registry.invalid/none:1' }, 404, 'engine.image-unavailable'],
    ['POST', '/v1/images/resolve', {}, 400, 'request.invalid-request'],
    ['GET', '/v1/nothing', undefined, 404, 'request.not-found'],
    ['DELETE', '/v1/builds/none', undefined, 404, 'build.not-found'],
  ])('%s %s is refused', async (method, path, body, status, code) => {
    expect(await node.server.request(method, path, body)).toMatchObject({ status, body: { error: { code } } })
  })
})

describe('the link', () => {
  it('reports everything again when it is back', async () => {
    const { instance } = await run()
    node.server.statuses.clear()
    const hellos = node.server.hellos
    node.server.cut()
    await node.server.linked(hellos + 1)
    expect(node.server.statuses.get(instance)).toMatchObject({ ready: true, restarts: 0 })
    expect(node.server.node).toMatchObject({ name: 'node-a', online: true, cgroup: 'v1', agentVersion: '0.0.0-test' })
    expect(node.server.node?.engineApi).toMatch(/^1\.\d+$/)
  })

  it('tells a readiness within milliseconds of its probe', async () => {
    // Of several the fastest: the machine may be busy with others.
    const tookMs: number[] = []
    while (tookMs.length < 8 && Math.min(...tookMs) >= 100) {
      const { instance } = await run()
      const seen = node.server.history.find((status) => status.id === instance && status.ready)
      tookMs.push((node.server.arrivals.get(instance) ?? 0) - (seen?.readyAt ?? 0))
    }
    expect(Math.min(...tookMs)).toBeLessThan(100)
  })

  it('serves Prometheus on the machine itself', async () => {
    const text = node.host.get('127.0.0.1:7602/metrics') ?? ''
    expect(text).toMatch(/^berth_agent_link_up 1$/m)
    expect(text).toMatch(/^berth_agent_engine_up 1$/m)
    expect(text).toMatch(/^berth_agent_instances\{phase="running",ready="true"\} \d+$/m)
    expect(node.host.get('127.0.0.1:7602/other')).toBeUndefined()
  })

  it('is dialled again when the server is silent, without anybody closing it', async () => {
    await node.killAgent()
    // The last test: none is slow after it.
    await node.startAgent({ ping: { intervalMs: 200, timeoutMs: 3_000 } })
    const hellos = node.server.hellos
    const told = (): number => node.log.split('the server does not answer any more').length
    const before = told()
    node.signalRelay('SIGSTOP')
    await waitUntil('the agent to give it up', () => told() > before)
    node.signalRelay('SIGCONT')
    await node.server.linked(hellos + 1)
  })
})
