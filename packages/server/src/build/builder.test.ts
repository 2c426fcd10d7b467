// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type GitRepository, writeFiles } from '../source/repositories.testing.ts'
import { type FakeAgents, type FakeIndex, imageId } from './agents.testing.ts'
import { BuilderFixture, chainSpec, type RunOptions, specOf } from './builder-fixture.testing.ts'

let fixture: BuilderFixture
let repo: GitRepository
let agents: FakeAgents
let index: FakeIndex
beforeEach(async () => {
  fixture = await BuilderFixture.create()
  ;({ repo, agents, index } = fixture)
})
afterEach(() => fixture[Symbol.dispose]())

const run = (options?: RunOptions) => fixture.run(options)
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
      {
        inputs: outcome.inputs,
        node: 'node-a',
        levels: [expect.stringMatching(/^berth\/level-base:/), expect.stringMatching(/^berth\/level-node:/)],
      },
    ])
    expect(tags()).toEqual([
      'berth/level-base:DIGEST',
      'berth/level-node:DIGEST',
      `berth/app-shop:${commit.slice(0, 12)}-${fixture.id}`,
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
      id: `${fixture.id}`,
      app: 'shop',
      args: { VERSION: '1 $x' },
      cpuMilli: 2000,
      noCache: false,
    })
  })

  test('the output tells what happens', async () => {
    const { image } = await run()
    expect(await fixture.output()).toEqual([
      `fetching HEAD of ${repo.dir}`,
      expect.stringMatching(/^commit [0-9a-f]{40} by Ada <ada@example.com>: first$/),
      'on node node-a',
      expect.stringMatching(/^level base: building berth\/level-base:.* \(.*levels\/base\)$/),
      expect.stringMatching(/^building berth\/level-base/),
      expect.stringMatching(/^level node: building .* \(berth\/levels\/node of the repository at /),
      expect.stringMatching(/^building berth\/level-node/),
      expect.stringMatching(/^building berth\/app-shop/),
      `made ${image}`,
    ])
  })

  test('without any runtime.sh there is no entrypoint, and nothing of a chain may be there at all', async () => {
    repo.commit({ 'berth.yaml': specOf('build: {base: "debian:12-slim"}') }, 'plain')
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
    expect((await fixture.output()).at(-1)).toBe(`reused ${first.image}`)
  })

  test('are found in the index, if the image is still there', async () => {
    const { inputs } = await run()
    agents.builds.splice(0)
    agents.images.delete(`berth/app-shop:${repo.git('rev-parse', 'HEAD').slice(0, 12)}-${fixture.id}`)
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
    [
      'a changed level of the server',
      () => writeFiles(fixture.space.path('levels'), { 'base/static.sh': 'echo new' }),
      3,
    ],
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
    await expect.poll(() => agents.builds.length, { timeout: 10_000 }).toBe(3)
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
      { ...files, 'berth.yaml': specOf('build: {dockerfile: docker/Dockerfile, target: build, args: {A: "1"}}') },
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
    repo.commit({ 'berth.yaml': specOf('image: "debian:12-slim"') }, 'ready')
    expect(await run()).toMatchObject({ image: imageId('debian'), spec: { build: { type: 'image' } } })
    expect(agents.builds).toEqual([])
  })
})

describe('reading a spec without building', () => {
  test('answers the commit’s own', async () => {
    const source = { app: 'shop', repository: repo.dir, vcs: 'git', ref: 'main' } as const
    expect(await fixture.builder.readSpec(source, {})).toMatchObject({
      subject: 'first',
      spec: { app: 'shop', build: { base: 'base' } },
    })
    expect(agents.builds).toEqual([])
  })
})
