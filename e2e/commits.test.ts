import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { BuildView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { deliverPush } from './support/forge.ts'
import { until } from './support/load.ts'

let cluster: Cluster
let work: Repository
let secret = ''

/** `unit` passes unless told otherwise. */
function appOf(version: string, unit = 'process.exit(0)'): Record<string, string> {
  const extra = 'environments:\n  staging: {routes: [staging.test]}\ntest: [unit]'
  const files = webApp({ replicas: 1, version, extra })
  const job = `  unit:\n    type: job\n    command: [node, -e, "console.log('testing'); ${unit}"]\n    cpu: 0.1\n    memory: 64Mi\nroutes:`
  return { ...files, 'berth.yaml': (files['berth.yaml'] ?? '').replace('routes:', job) }
}

beforeAll(async () => {
  cluster = await Cluster.start()
  work = await cluster.repository('shop', appOf('1'))
  // What a forge has: a bare repository that developers push to.
  const origin = join(cluster.dir, 'shop.git')
  mkdirSync(origin)
  await work.git(['init', '-q', '--bare', '-b', 'main', origin])
  await work.git(['remote', 'add', 'origin', origin])
  await work.git(['push', '-q', 'origin', 'main'])
  await cluster.client.call('createApp', { body: { name: 'shop', repository: origin } })
  await cluster.mustBerth([
    'pipeline',
    'set',
    'shop',
    '--branch',
    'main',
    '--deploy',
    'staging',
    '--environments',
    'staging,production',
  ])
  secret = (await cluster.mustBerth(['pipeline', 'webhook', 'shop', '-o', 'json'])).json<{ secret: string }>().secret
})
afterAll(() => cluster[Symbol.asyncDispose]())

async function push(): Promise<BuildView> {
  await work.git(['push', '-q', 'origin', 'main'])
  const url = `https://${cluster.first.address}:7600/hooks/shop`
  const answer = await deliverPush({ url, secret, ref: 'refs/heads/main' })
  expect(answer).toMatchObject({ status: 202, builds: [expect.any(String)] })
  const id = answer.builds[0] ?? ''
  const build = () => cluster.client.call('getBuild', { params: { id } })
  await until(`build ${id} to end`, async () => (await build()).endedAt !== undefined)
  return await build()
}

const served = async (host: string): Promise<string> => {
  const answer = await cluster.first.exec(['wget', '-q', '-O', '-', '--header', `Host: ${host}`, 'http://127.0.0.1/'])
  return answer.code === 0 ? (JSON.parse(answer.stdout) as { version: string }).version : ''
}

it('git push → webhook → image → tested → deployed → the same image promoted', async () => {
  const commit = await work.commit(appOf('2'), 'the second one')
  const build = await push()
  expect(build).toMatchObject({ state: 'succeeded', commit, subject: 'the second one', createdBy: 'pipeline:shop' })
  await until('version 2 to serve in staging', async () => (await served('staging.test')) === '2')
  expect(await served('shop.test')).toBe('')
  await until('the end of its rollout', async () => {
    const { items } = await cluster.client.list('listRollouts', { query: { app: 'shop' } })
    return items[0]?.state === 'succeeded'
  })
  await cluster.mustBerth(['promote', 'shop'])
  expect(await served('shop.test')).toBe('2')
  const { items } = await cluster.client.list('listReleases', { params: { app: 'shop' } })
  expect(items).toMatchObject([
    { tests: { state: 'passed' }, runningIn: expect.arrayContaining(['production', 'staging']), image: build.image },
  ])
})

it('what fails its test goes nowhere, and says what it printed', async () => {
  const good = await work.git(['rev-parse', 'HEAD'])
  await work.commit(appOf('3', "console.log('2 of 7 failed'); process.exit(1)"), 'broken')
  const build = await push()
  expect(build).toMatchObject({ state: 'failed', error: { code: 'build.tests-failed' } })
  expect(build.error?.logTail?.join('\n')).toContain('2 of 7 failed')
  expect(await served('staging.test')).toBe('2')
  const refused = await cluster.berth([
    'promote',
    'shop',
    '--to',
    'production',
    '--release',
    build.release ?? '',
    '--force',
    '--reason',
    'x',
  ])
  expect(refused.stderr).toContain('its tests failed')
  const diff = await cluster.mustBerth(['diff', 'shop', build.release ?? ''])
  expect(diff.stdout).toContain('broken')
  await work.git(['revert', '--no-edit', 'HEAD'])
  expect((await work.git(['rev-parse', 'HEAD'])).stdout).not.toBe(good.stdout)
})

const imagesOf = async (): Promise<string[]> =>
  (await cluster.first.exec(['docker', 'images', '-q', '--no-trunc'])).stdout.split('\n').sort()

it('a push that changes nothing builds nothing and replaces nothing', async () => {
  const before = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
  const images = await imagesOf()
  await work.git(['commit', '-q', '--allow-empty', '-m', 'nothing'])
  expect(await push()).toMatchObject({ state: 'succeeded', reused: true })
  expect(await imagesOf()).toEqual(images)
  const after = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
  expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
})
