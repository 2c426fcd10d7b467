import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { BuildRequest, LogLine } from '@berth/api'
import { BerthError } from '@berth/core'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestDockerd } from '../packages/agent/src/build/dockerd.testing.ts'
import { createImageBuilder, type ImageBuilder } from '../packages/agent/src/build/image-builder.ts'
import { DockerClient } from '../packages/agent/src/engine/docker-client.ts'
import { makeBaseImages } from '../packages/lab/src/base-image.ts'
import { BuildOutputs } from '../packages/server/src/build/build-outputs.ts'
import type { BuildAgents } from '../packages/server/src/build/build-ports.ts'
import { type Builder, createBuilder } from '../packages/server/src/build/builder.ts'
import { createSourceStore } from '../packages/server/src/source/create-source-store.ts'
import {
  type Files,
  GitRepository,
  SvnRepository,
  Workspace,
  writeFiles,
} from '../packages/server/src/source/repositories.testing.ts'

/** The builder of the server and that of the agent, without the link between them, on a Docker of their own. */
const log = pino({ level: 'silent' })
const space = new Workspace()
const dockerd = new TestDockerd()
let client: DockerClient
let builder: Builder
let repo: GitRepository

const spec = (app: string, build: string): string =>
  `app: ${app}\nbuild:\n  limits: {network: none}\n${build}entrypoints:\n  web:\n    command: [node, server.js]\n`

beforeAll(async () => {
  await dockerd.start()
  await makeBaseImages(`unix://${dockerd.socketPath}`)
  client = new DockerClient(dockerd.socketPath, log)
  cpSync(new URL('../levels', import.meta.url).pathname, space.path('shipped'), { recursive: true })
  builder = createBuilder({
    sources: await createSourceStore({ dir: space.path('sources'), log }),
    outputs: await BuildOutputs.open({ dir: space.path('outputs') }),
    agents: agentsOf(createImageBuilder({ client, log })),
    reuse: { find: () => [] },
    levelDirs: [space.path('levels'), space.path('shipped')],
    builder: 'berth/test',
    log,
  })
  repo = new GitRepository(space.path('shop'))
})
afterAll(async () => {
  await client?.[Symbol.asyncDispose]()
  await dockerd[Symbol.asyncDispose]()
  space[Symbol.dispose]()
})

function agentsOf(images: ImageBuilder): BuildAgents {
  const idOf = (image: string): string | undefined => {
    try {
      return dockerd.docker('image', 'inspect', '--format', '{{.Id}}', image)
    } catch {
      return undefined
    }
  }
  return {
    pickNode: () => ({ name: 'here', kind: 'shared' }),
    build: (_, request: BuildRequest, context, options) =>
      images.build(
        request,
        Readable.from(context, { objectMode: false }),
        options.signal === undefined ? {} : { signal: options.signal },
      ),
    imageExists: async (_, image) => idOf(image) !== undefined,
    resolveImage: async (_, image) => {
      const id = idOf(image)
      if (id === undefined) throw new BerthError('engine.image-unavailable', `pull image ${image}: no such host`)
      return id
    },
  }
}

let count = 0
async function run(
  repository = repo.dir,
  { app = 'shop', vcs = 'git' as 'git' | 'svn', noReuse = false, signal = new AbortController().signal } = {},
) {
  count += 1
  return builder.run({ id: `b${count}`, app, repository, vcs, ref: 'HEAD', noReuse }, { signal, onProgress: () => {} })
}
async function output(id = `b${count}`): Promise<string[]> {
  const lines: LogLine[] = []
  for await (const line of builder.tailBuildOutput(id, { follow: false })) lines.push(line)
  return lines.map(({ line }) => line)
}
const start = (image: string, command: readonly string[], ...options: string[]): ChildProcess =>
  spawn('docker', [
    '-H',
    `unix://${dockerd.socketPath}`,
    'run',
    '--rm',
    '--network=none',
    ...options,
    image,
    ...command,
  ])
const inContainer = (image: string, command: readonly string[], ...options: string[]): string =>
  dockerd.docker('run', '--rm', '--network=none', ...options, image, ...command)

const odd = 'odd $(touch x) `id` "\'\\é[*]?.txt'
const app: Files = {
  'berth.yaml': spec(
    'shop',
    `  base: bottom
  runtimes: [node, top]
  dependencies: {files: [package.json], run: "cat /proc/sys/kernel/random/uuid > /dependencies"}
  run: ["echo \\"$SECRET_OF_NOBODY|$VERSION\\" > built", "find . -mindepth 1 -maxdepth 1 | sort > /listing"]
  args: {VERSION: "a $(id) \\"b\\" 'c'"}
`,
  ),
  'package.json': '{"name":"shop"}',
  'server.js': 'console.log(process.pid, process.env.FROM_LEVELS)',
  [odd]: 'odd',
  'bin/run': { run: '#!/bin/sh\n' },
  link: { link: 'bin/run' },
  'berth/static.sh': 'echo "$PWD" > /app-static',
  'berth/runtime.sh': 'echo "app $FROM_LEVELS"',
  'berth/files/etc/shop.conf': 'shop',
  'berth/levels/bottom/level.yaml': 'from: berth/base:local\nenv: {GREETING: "hi $$5", PATH: "/opt/bottom:$PATH"}\n',
  'berth/levels/bottom/runtime.sh': 'echo bottom\necho "FROM_LEVELS=one two" >> "$BERTH_ENV"',
  'berth/levels/top/static.sh': { run: '#!/bin/busybox sh\necho "$0" > /top-static' },
  'berth/levels/top/runtime.sh': { run: '#!/bin/sh\necho "top $FROM_LEVELS"\nexit 0' },
}

describe('an image from a commit', () => {
  test('has every level, the app, and nothing of what their texts could do', async () => {
    const commit = repo.commit(app, 'Says "hi" $(touch /tmp/x)')
    const { image, inputs } = await run()
    expect(inContainer(image, ['node', 'server.js'])).toBe('bottom\ntop one two\napp one two\n1 one two')
    const shell = (script: string) => inContainer(image, ['sh', '-c', script]).split('\n').slice(3).join('\n')
    expect(shell('cat built /listing /app-static /top-static /etc/shop.conf; echo "$GREETING"; echo "$PATH"')).toBe(
      `|a $(id) "b" 'c'\n./berth\n./berth.yaml\n./bin\n./built\n./link\n./${odd}\n./package.json\n./server.js\n/\n/berth/levels/03-top/static.sh\nshophi $5\n/opt/bottom:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    )
    expect(shell('stat -c "%a %u %F" bin/run link server.js /berth/entrypoint; readlink link')).toBe(
      '755 0 regular file\n777 0 symbolic link\n644 0 regular file\n755 0 regular file\nbin/run',
    )
    const labels = JSON.parse(dockerd.docker('inspect', '--format', '{{json .Config.Labels}}', image))
    expect(labels).toMatchObject({
      'berth.app': 'shop',
      'berth.commit': commit,
      'berth.builder': 'berth/test',
      'berth.inputs': inputs,
    })
    expect(labels).toMatchObject({ 'berth.level': 'top' })
  })

  test('is made only once; levels and dependencies are kept when only the source changes', async () => {
    const first = await run()
    const ids = (image: string) => inContainer(image, ['sh', '-c', 'cat /dependencies']).split('\n').at(-1)
    expect(await run()).toMatchObject({ image: first.image, reused: true })
    expect((await output()).filter((line) => line.startsWith('Step '))).toEqual([])
    repo.commit({ 'server.js': 'console.log("new")' }, 'source')
    const second = await run()
    expect(second.image).not.toBe(first.image)
    expect(ids(second.image)).toBe(ids(first.image))
    expect((await output()).filter((line) => line.startsWith('level '))).toHaveLength(3)
    expect((await output()).filter((line) => / is there$/.test(line))).toHaveLength(3)
    repo.commit({ 'package.json': '{"name":"shop","version":"2"}' }, 'dependencies')
    expect(ids((await run()).image)).not.toBe(ids(first.image))
    expect(ids((await run(repo.dir, { noReuse: true })).image)).not.toBe(ids(first.image))
  })

  test('a new base image rebuilds everything on it', async () => {
    const before = await run()
    dockerd.docker('tag', 'berth/base:local', 'keep/base:1')
    dockerd.docker('build', '--quiet', '--tag', 'berth/base:local', '--label', 'new=yes', dockerfileFolder())
    const after = await run()
    expect(after).toMatchObject({ reused: false, commit: before.commit })
    expect(after.inputs).not.toBe(before.inputs)
    expect(dockerd.docker('inspect', '--format', '{{index .Config.Labels "new"}}', after.image)).toBe('yes')
    dockerd.docker('tag', 'keep/base:1', 'berth/base:local')
    expect(await run()).toMatchObject({ image: before.image, reused: true })
  })

  test('the command is process 1 and gets the signals', async () => {
    const { image } = await run()
    const server =
      'process.on("SIGTERM", () => process.exit(42)); setInterval(() => {}, 1000); console.log("up", process.pid)'
    const container = start(image, ['node', '-e', server], '--name', 'signals')
    let text = ''
    container.stdout?.on('data', (chunk) => {
      text += chunk
    })
    await expect.poll(() => text, { timeout: 20_000 }).toContain('up 1')
    const ended = once(container, 'exit')
    dockerd.docker('kill', '--signal', 'TERM', 'signals')
    expect(await ended).toEqual([42, null])
  })

  test('a container without root runs its levels as well; one whose level fails says so', async () => {
    const { image } = await run()
    expect(inContainer(image, ['id', '-u'], '--user', '1000:1000', '--read-only', '--cap-drop', 'ALL')).toBe(
      'bottom\ntop one two\napp one two\n1000',
    )
    writeFiles(space.path('levels'), { 'bad/runtime.sh': 'echo preparing; exit 9' })
    const other = new GitRepository(space.path('bad'), {
      'berth.yaml': spec('bad', '  base: berth/base:local\n  runtimes: [bad]\n'),
    })
    const bad = await run(other.dir, { app: 'bad' })
    expect(() => inContainer(bad.image, ['true'])).toThrow(
      /berth\/levels\/01-bad\/runtime.sh failed with exit code 9; the command was not started/,
    )
  })
})

describe('without a registry', () => {
  test.each([
    ['an image', '  base: berth/node:local\n'],
    ['the level that ships with Berth', '  base: berth/base:local\n  runtimes: [node]\n'],
    ['the level as a base', '  base: node\n'],
  ])('Node.js from %s', async (_, build) => {
    const plain = new GitRepository(space.path(`plain-${count}`), {
      'berth.yaml': spec('plain', build),
      'server.js': 'console.log(6 * 7)',
    })
    const { image } = await run(plain.dir, { app: 'plain' })
    expect(inContainer(image, ['node', 'server.js'])).toBe('42')
    expect(dockerd.docker('inspect', '--format', '{{json .Config.Entrypoint}}', image)).toBe('null')
  })

  test('an image that nobody has', async () => {
    const none = new GitRepository(space.path('none'), { 'berth.yaml': spec('none', '  base: no/such:image\n') })
    await expect(run(none.dir, { app: 'none' })).rejects.toMatchObject({
      code: 'build.base-not-found',
      message: expect.stringContaining('base image no/such:image is not on node here and cannot be pulled'),
    })
  })
})

describe('other sources and forms', () => {
  test('a Dockerfile of the owner’s', async () => {
    const own = new GitRepository(space.path('own'), {
      'berth.yaml': spec('own', '  dockerfile: docker/Dockerfile\n  args: {WHO: "you & me"}\n'),
      'docker/Dockerfile': 'ARG BASE=berth/base:local\nFROM $BASE\nARG WHO\nCOPY . /all\nRUN echo "$WHO" > /who\n',
      '.dockerignore': 'secret\n',
      secret: 'x',
      kept: 'y',
    })
    const { image, inputs } = await run(own.dir, { app: 'own' })
    expect(inContainer(image, ['sh', '-c', 'cat /who; ls -A /all']).split('\n')).toEqual([
      'you & me',
      '.dockerignore',
      'berth.yaml',
      'docker',
      'kept',
    ])
    expect(dockerd.docker('inspect', '--format', '{{index .Config.Labels "berth.inputs"}}', image)).toBe(inputs)
  })

  test('svn', async () => {
    const svn = new SvnRepository(space.path('svn'))
    const files = {
      'berth.yaml': spec('svn', '  base: berth/node:local\n'),
      'server.js': 'console.log("svn")',
      'berth/runtime.sh': 'echo start',
    }
    svn.commit(Object.fromEntries(Object.entries(files).map(([path, text]) => [`trunk/${path}`, text])), 'first')
    const first = await run(`${svn.url}/trunk`, { app: 'svn', vcs: 'svn' })
    expect(first).toMatchObject({ commit: 'r1', subject: 'first' })
    expect(inContainer(first.image, ['node', 'server.js'])).toBe('start\nsvn')
    svn.commit({ 'branches/x': 'x' }, 'elsewhere')
    expect(await run(`${svn.url}/trunk`, { app: 'svn', vcs: 'svn' })).toMatchObject({
      image: first.image,
      reused: true,
      commit: 'r1',
    })
  })
})

describe('bad days', () => {
  const broken = (build: string) =>
    new GitRepository(space.path(`broken-${count}`), {
      'berth.yaml': spec('broken', `  base: berth/base:local\n${build}`),
    })

  test('a failing step, with its last lines', async () => {
    const { dir } = broken('  run: ["echo one; echo two; exit 7"]\n')
    await expect(run(dir, { app: 'broken' })).rejects.toMatchObject({
      code: 'build.step-failed',
      message: 'step 4 of 6 (echo one; echo two; exit 7) failed with exit code 7',
      details: { logTail: expect.arrayContaining(['one', 'two']) },
    })
    expect((await output()).at(-1)).toBe('failed: step 4 of 6 (echo one; echo two; exit 7) failed with exit code 7')
  })

  test('a cancelled build leaves no container', async () => {
    const { dir } = broken('  run: ["echo hanging; exec sleep 1000"]\n')
    const abort = new AbortController()
    const reason = new BerthError('build.cancelled', 'cancelled by ada')
    const building = run(dir, { app: 'broken', signal: abort.signal })
    const id = `b${count}`
    for await (const { line } of builder.tailBuildOutput(id, { follow: true, hasEnded: () => false }))
      if (line === 'hanging') break
    expect(dockerd.docker('ps', '--quiet')).not.toBe('')
    abort.abort(reason)
    await expect(building).rejects.toBe(reason)
    await expect.poll(() => dockerd.docker('ps', '--all', '--quiet'), { timeout: 20_000 }).toBe('')
  })

  test('an output without end is kept in bounds', async () => {
    const { dir } = broken('  run: ["yes 0123456789012345678901234567890123456789 | head -n 400000; echo the end"]\n')
    await run(dir, { app: 'broken' })
    const lines = await output()
    expect(lines.length).toBeLessThan(300_000)
    expect(lines.filter((line) => /KiB of output left out here/.test(line))).toHaveLength(1)
    expect(lines).toContain('the end')
    const kept = execFileSync('du', ['--bytes', space.path('outputs', `b${count}.ndjson`)], { encoding: 'utf8' })
    expect(Number.parseInt(kept, 10)).toBeLessThan(12 * 1024 ** 2)
  })
})

function dockerfileFolder(): string {
  writeFiles(space.path('new-base'), { Dockerfile: 'FROM keep/base:1\nRUN true\n' })
  return space.path('new-base')
}
