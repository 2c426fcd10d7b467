// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles
import { mkdirSync, rmSync } from 'node:fs'
import type { BuildEvent, LogLine } from '@berth/api'
import { BerthError } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSourceStore } from '../source/create-source-store.ts'
import { type Files, GitRepository, Workspace, writeFiles } from '../source/repositories.testing.ts'
import { FakeAgents, FakeIndex, imageId } from './agents.testing.ts'
import { BuildOutputs } from './build-outputs.ts'
import { type Builder, createBuilder } from './builder.ts'

const log = pino({ level: 'silent' })
const spec = (build: string): string =>
  `app: shop\n${build}\nentrypoints:\n  web:\n    command: [node, server.js]\n    ports: [8080]\n`
const chainSpec = spec(
  'build:\n  base: base\n  runtimes: [node]\n  dependencies: {files: [package.json, vendor], run: npm ci}\n  run: npm run build\n  args: {VERSION: "1 $x"}',
)
const app: Files = {
  'berth.yaml': chainSpec,
  'package.json': '{}',
  'vendor/a.js': 'a',
  'server.js': 'serve()',
  'src/$(id) "x".js': 'odd',
  'berth/runtime.sh': 'echo app',
  'berth/levels/node/level.yaml': 'env: {NODE_ENV: production}\n',
  'berth/levels/node/static.sh': { run: '#!/bin/sh\necho node' },
  'berth/levels/node/files/etc/node': 'yes',
}
const serverLevels: Files = {
  'base/level.yaml': 'from: debian:12-slim\npackages: [curl]\ncopy: [{from: "tools:1", path: /opt/tools}]\n',
  'base/runtime.sh': 'echo base',
  'node/static.sh': 'the repository’s own level comes first',
}

let space: Workspace
let repo: GitRepository
let agents: FakeAgents
let index: FakeIndex
let builder: Builder
beforeEach(async () => {
  space = new Workspace()
  repo = new GitRepository(space.path('repo'), app)
  writeFiles(space.path('levels'), serverLevels)
  agents = new FakeAgents()
  agents.images.set('debian:12-slim', imageId('debian')).set('tools:1', imageId('tools'))
  index = new FakeIndex()
  const sources = await createSourceStore({ dir: space.path('sources'), log })
  const outputs = await BuildOutputs.open({ dir: space.path('outputs') })
  const levelDirs = [space.path('levels'), space.path('no-such-levels')]
  builder = createBuilder({ sources, outputs, agents, reuse: index, levelDirs, builder: 'berth/0.1.0', log })
})
afterEach(() => space[Symbol.dispose]())

let count = 0
interface RunOptions {
  readonly ref?: string
  readonly noReuse?: boolean
  readonly repository?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: object) => void
}
const run = ({
  ref = 'HEAD',
  noReuse = false,
  repository = repo.dir,
  signal,
  onProgress = () => {},
}: RunOptions = {}) => {
  count += 1
  const build = { id: `b${count}`, app: 'shop', repository, vcs: 'git', ref, noReuse } as const
  return builder.run(build, { signal: signal ?? new AbortController().signal, onProgress })
}
const output = async (): Promise<string[]> => {
  const lines: LogLine[] = []
  for await (const line of builder.tailBuildOutput(`b${count}`, { follow: false })) lines.push(line)
  return lines.map(({ line }) => line)
}
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })
const tags = () => agents.builds.map(({ request }) => request.tag.replace(/[0-9a-f]{12}$/, 'DIGEST'))

describe('an image chain', () => {
  test('is built level by level, then the app', async () => {
    const progress: object[] = []
    const outcome = await run({ onProgress: (each) => progress.push(each) })
    const commit = repo.git('rev-parse', 'HEAD')
    expect(outcome).toMatchObject({ commit, subject: 'first', reused: false, node: 'node-a', image: imageId('3') })
    expect(outcome.spec.entrypoints.web?.command).toEqual(['node', 'server.js'])
    expect(progress).toEqual([
      { commit, subject: 'first' },
      { inputs: outcome.inputs, node: 'node-a' },
    ])
    expect(tags()).toEqual([
      'berth/level-base:DIGEST',
      'berth/level-node:DIGEST',
      `berth/app-shop:${commit.slice(0, 12)}-b${count}`,
    ])
  })

  test('what the builds are given', async () => {
    const { inputs, commit } = await run()
    const [base, node, image] = agents.builds
    expect(base?.files.Dockerfile).toContain(
      `FROM ${imageId('debian')}\nCOPY --from=${imageId('tools')} ["/opt/tools","/opt/tools"]\n`,
    )
    expect(base?.files).toMatchObject({ 'berth/levels/01-base/runtime.sh': '#755 echo base' })
    expect(node?.files).toEqual({
      Dockerfile: expect.stringMatching(
        /^FROM berth\/level-base:[0-9a-f]{12}\nENV NODE_ENV="production"\nCOPY \["files\/","\/"\]\n/,
      ),
      'berth/levels/02-node/static.sh': '#755 #!/bin/sh\necho node',
      'files/etc/node': 'yes',
    })
    expect(node?.files.Dockerfile).toContain('RUN ["/berth/levels/02-node/static.sh"]\n')
    expect(image?.files).toMatchObject({
      'berth/entrypoint': expect.stringContaining('exec "$@"'),
      'berth/levels/03-app/runtime.sh': '#755 echo app',
      'dependencies/package.json': '{}',
      'dependencies/vendor/a.js': 'a',
      'src/vendor/a.js': 'a',
      'src/src/$(id) "x".js': 'odd',
      'src/berth.yaml': chainSpec,
    })
    expect(Object.keys(image?.files ?? {}).filter((path) => path.startsWith('dependencies/'))).toHaveLength(2)
    const dockerfile = image?.files.Dockerfile ?? ''
    expect(dockerfile).toContain(`FROM ${node?.request.tag}\nARG VERSION\n`)
    expect(dockerfile).toContain(
      `"berth.app"="shop" "berth.commit"="${commit}" "berth.builder"="berth/0.1.0" "berth.inputs"="${inputs}"`,
    )
    expect(image?.request).toMatchObject({
      id: `b${count}`,
      app: 'shop',
      args: { VERSION: '1 $x' },
      cpuMilli: 2000,
      noCache: false,
    })
  })

  test('the output tells what happens', async () => {
    const { image } = await run()
    expect(await output()).toEqual([
      `fetching HEAD of ${repo.dir}`,
      expect.stringMatching(/^commit [0-9a-f]{40} by Ada <ada@example.com>: first$/),
      expect.stringMatching(/^level base: building berth\/level-base:.* \(.*levels\/base\)$/),
      expect.stringMatching(/^building berth\/level-base/),
      expect.stringMatching(/^level node: building .* \(berth\/levels\/node of the repository at /),
      expect.stringMatching(/^building berth\/level-node/),
      expect.stringMatching(/^building berth\/app-shop/),
      `made ${image}`,
    ])
  })

  test('without any runtime.sh there is no entrypoint, and nothing of a chain may be there at all', async () => {
    repo.commit({ 'berth.yaml': spec('build: {base: "debian:12-slim"}') }, 'plain')
    repo.git('rm', '-r', '--quiet', 'berth')
    repo.commit({}, 'plain')
    await run()
    expect(agents.builds[0]?.files.Dockerfile).toContain('ENTRYPOINT []\n')
    expect(agents.builds[0]?.files).not.toHaveProperty('berth/entrypoint')
  })

  test('.dockerignore keeps files out', async () => {
    repo.commit(
      { '.dockerignore': '# no\nsrc\n**/*.md\n!README.md\nSERVER.js\n', 'a/b.md': '', 'README.md': '' },
      'ignore',
    )
    await run()
    const paths = Object.keys(agents.builds.at(-1)?.files ?? {}).filter((path) => path.startsWith('src/'))
    expect(paths).toContain('src/README.md')
    expect(paths).toContain('src/server.js')
    expect(paths.filter((path) => path.startsWith('src/src/') || path.endsWith('b.md'))).toEqual([])
  })
})

describe('equal inputs', () => {
  test('are not built twice, also from another commit', async () => {
    const first = await run()
    agents.builds.splice(0)
    expect(await run()).toMatchObject({ image: first.image, inputs: first.inputs, reused: true, node: 'node-a' })
    const commit = repo.commit({}, 'nothing changed')
    expect(await run()).toMatchObject({ image: first.image, reused: true, commit, subject: 'nothing changed' })
    expect(agents.builds).toEqual([])
    expect((await output()).at(-1)).toBe(`reused ${first.image}`)
  })

  test('are found in the index, if the image is still there', async () => {
    const { inputs } = await run()
    agents.builds.splice(0)
    agents.images.delete(`berth/app-shop:${repo.git('rev-parse', 'HEAD').slice(0, 12)}-b${count}`)
    const kept = imageId('kept')
    agents.images.set('elsewhere', kept)
    index.known.set(inputs, [
      { image: imageId('gone'), node: 'node-b' },
      { image: kept, node: 'node-c' },
    ])
    expect(await run()).toMatchObject({ image: kept, node: 'node-c', reused: true })
    agents.images.delete('elsewhere')
    expect(await run()).toMatchObject({ reused: false })
    expect(tags()).toHaveLength(1)
  })

  test.each<[string, () => void, number]>([
    ['a new foreign base image', () => agents.images.set('debian:12-slim', imageId('debian 2')), 3],
    ['a new copied image', () => agents.images.set('tools:1', imageId('tools 2')), 3],
    ['a changed level of the server', () => writeFiles(space.path('levels'), { 'base/static.sh': 'echo new' }), 3],
    ['a changed level of the repository', () => repo.commit({ 'berth/levels/node/files/etc/node': 'no' }, 'x'), 2],
    ['changed source', () => repo.commit({ 'server.js': 'serve(2)' }, 'x'), 1],
    ['another build command', () => repo.commit({ 'berth.yaml': chainSpec.replace('npm run build', 'make') }, 'x'), 1],
  ])('%s is another input', async (_, change, builds) => {
    const first = await run()
    agents.builds.splice(0)
    change()
    const second = await run()
    expect(second.inputs).not.toBe(first.inputs)
    expect(second.reused).toBe(false)
    expect(tags()).toHaveLength(builds)
  })

  test('at the same time are built once; when that build fails, the next one tries', async () => {
    const gate = Promise.withResolvers<void>()
    let fails = true
    agents.onBuild = async function* (call) {
      if (!call.request.tag.startsWith('berth/app-')) return
      await gate.promise
      if (!fails) return
      fails = false
      yield { type: 'failed', code: 'build.step-failed', message: 'no' }
    }
    const runs = [run(), run(), run()]
    const settled = Promise.allSettled(runs)
    await expect.poll(() => agents.builds.length).toBe(3)
    gate.resolve()
    const results = await settled
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(agents.builds.filter(({ request }) => request.tag.startsWith('berth/app-'))).toHaveLength(2)
    const values = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    expect(new Set(values.map(({ image }) => image)).size).toBe(1)
    expect(values.map(({ reused }) => reused).sort()).toEqual([false, true])
  })

  test('are built anew on request, with fresh bases', async () => {
    const first = await run()
    agents.builds.splice(0)
    const second = await run({ noReuse: true })
    expect(second).toMatchObject({ inputs: first.inputs, reused: false })
    expect(second.image).not.toBe(first.image)
    expect(agents.builds.map(({ request }) => request.noCache)).toEqual([true, true, true])
    expect(agents.pulls).toEqual(['debian:12-slim', 'tools:1'])
  })
})

describe('other kinds of images', () => {
  const dockerfile = 'ARG TAG=12-slim\nFROM debian:${TAG} AS build\nFROM build\nCOPY . /app\n'

  test('the owner’s Dockerfile, with the repository as its context', async () => {
    const files = { 'docker/Dockerfile': dockerfile, '.dockerignore': 'docker\nvendor\n' }
    repo.commit(
      { ...files, 'berth.yaml': spec('build: {dockerfile: docker/Dockerfile, target: build, args: {A: "1"}}') },
      'own',
    )
    const { inputs } = await run()
    const { request, files: context } = agents.builds[0] ?? {}
    expect(request).toMatchObject({ dockerfile: 'docker/Dockerfile', target: 'build', args: { A: '1' } })
    expect(request?.labels).toMatchObject({ 'berth.app': 'shop', 'berth.inputs': inputs })
    expect(Object.keys(context ?? {})).toEqual(
      expect.arrayContaining(['docker/Dockerfile', '.dockerignore', 'server.js']),
    )
    expect(Object.keys(context ?? {}).some((path) => path.startsWith('vendor'))).toBe(false)
    agents.images.set('debian:12-slim', imageId('newer'))
    expect((await run()).inputs).not.toBe(inputs)
  })

  test('a ready image is only looked up', async () => {
    repo.commit({ 'berth.yaml': spec('image: "debian:12-slim"') }, 'ready')
    expect(await run()).toMatchObject({ image: imageId('debian'), spec: { build: { type: 'image' } } })
    expect(agents.builds).toEqual([])
  })
})

describe('failures', () => {
  test.each<[string, Files, string, RegExp]>([
    ['no berth.yaml', { 'berth.yaml': { link: '/etc/passwd' } }, 'build.spec-missing', /run berth init/],
    [
      'mistakes in berth.yaml',
      { 'berth.yaml': 'app: shop\nbild: x\n' },
      'spec.invalid',
      /berth.yaml at .* has .*mistakes?:\nberth.yaml:\d+:\d+: .*bild/s,
    ],
    [
      'another app',
      { 'berth.yaml': chainSpec.replace('shop', 'boat') },
      'build.app-mismatch',
      /of app "boat", not of "shop"/,
    ],
    [
      'an unknown level',
      { 'berth.yaml': chainSpec.replace('[node]', '[nodes]') },
      'build.level-not-found',
      /did you mean "node"\? there are base, node/,
    ],
    [
      'an unknown key in level.yaml',
      { 'berth/levels/node/level.yaml': 'form: x:1' },
      'build.level-invalid',
      /level.yaml in berth\/levels\/node of the repository.*form/,
    ],
    ['broken YAML', { 'berth/levels/node/level.yaml': '{' }, 'build.level-invalid', /line 1/],
    [
      'a bad package',
      { 'berth/levels/node/level.yaml': 'packages: ["a; id"]' },
      'build.level-invalid',
      /cannot name a package/,
    ],
    [
      'a bad copy',
      { 'berth/levels/node/level.yaml': 'copy: [{from: "x:1", path: a}]' },
      'build.level-invalid',
      /copy.0.path: write an absolute path/,
    ],
    [
      'a base without from',
      { 'berth.yaml': chainSpec.replace('base: base', 'base: node') },
      'build.level-invalid',
      /give its level.yaml a `from`/,
    ],
    ['a level on itself', { 'berth/levels/base/level.yaml': 'from: base' }, 'build.level-repeated', /stands on itself/],
    [
      'Windows line ends',
      { 'berth/levels/node/static.sh': '#!/bin/sh\r\necho\r\n' },
      'build.level-invalid',
      /static.sh in .* Windows line ends/,
    ],
    [
      'a missing dependency file',
      { 'berth.yaml': chainSpec.replace('vendor]', 'vendors]') },
      'build.dependency-file-missing',
      /: vendors$/,
    ],
    [
      'a base that is nowhere',
      { 'berth/levels/base/level.yaml': 'from: no/such:1' },
      'build.base-not-found',
      /base image no\/such:1 is not on node node-a/,
    ],
    [
      'a missing Dockerfile',
      { 'berth.yaml': spec('build: {dockerfile: D}') },
      'build.dockerfile-missing',
      /there is no D at/,
    ],
  ])('%s', async (_, files, code, message) => {
    for (const path of Object.keys(files)) rmSync(`${repo.dir}/${path}`, { force: true })
    repo.commit(files, 'broken')
    await expect(run()).rejects.toEqual(failure(code, message))
    expect((await output()).at(-1)).toMatch(/^failed: /)
    expect(agents.builds.filter(({ request }) => request.tag.startsWith('berth/app-'))).toEqual([])
  })

  test('of a step: the last lines go with the error', async () => {
    agents.onBuild = () => [
      { type: 'output', at: 1, line: 'npm ERR! no such package' },
      { type: 'failed', code: 'build.step-failed', message: 'step 2 of 3 (npm ci) failed with exit code 1' },
    ]
    await expect(run()).rejects.toMatchObject({
      code: 'build.step-failed',
      message: 'step 2 of 3 (npm ci) failed with exit code 1',
      details: { node: 'node-a', logTail: [expect.stringMatching(/^building /), 'npm ERR! no such package'] },
    })
  })

  test('an agent that goes away', async () => {
    const end = (async function* () {})() as AsyncGenerator<BuildEvent>
    agents.build = () => end as never
    await expect(run()).rejects.toEqual(failure('build.interrupted', /node-a ended without a result/))
  })

  test('a commit that does not exist', async () => {
    await expect(run({ ref: 'mian' })).rejects.toEqual(failure('source.commit-not-found', /did you mean "main"/))
  })

  test('passwords show up nowhere', async () => {
    const repository = 'https://ada:very-secret@127.0.0.1:1/shop.git'
    const error = await run({ repository }).catch((each) => each)
    expect(error).toEqual(failure('source.unreachable', /\*\*\*@127/))
    agents.onBuild = () => [{ type: 'output', at: 1, line: 'clone https://ada:very-secret@example.com/x failed' }]
    const lines = await output()
    await run()
    expect(JSON.stringify([error.message, lines, await output()])).not.toContain('very-secret')
    expect((await output()).join('\n')).toContain('clone https://***@example.com/x failed')
  })

  test('cancelling', async () => {
    const abort = new AbortController()
    const reason = new BerthError('build.cancelled', 'cancelled by ada')
    agents.onBuild = async function* () {
      abort.abort(reason)
      yield { type: 'output', at: 1, line: 'late' }
    }
    await expect(run({ signal: abort.signal })).rejects.toBe(reason)
    expect((await output()).at(-1)).toBe('failed: cancelled by ada')
  })
})

describe('reading a spec without building', () => {
  test('answers the commit’s own', async () => {
    mkdirSync(space.path('x'))
    const source = { app: 'shop', repository: repo.dir, vcs: 'git', ref: 'main' } as const
    expect(await builder.readSpec(source, {})).toMatchObject({
      subject: 'first',
      spec: { app: 'shop', build: { base: 'base' } },
    })
    expect(agents.builds).toEqual([])
  })
})
