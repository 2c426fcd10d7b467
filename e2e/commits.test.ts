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

beforeAll(async () => {
  cluster = await Cluster.start()
  work = await cluster.repository('shop', webApp({ replicas: 1 }))
  // What a forge has: a bare repository that developers push to.
  const origin = join(cluster.dir, 'shop.git')
  mkdirSync(origin)
  await work.git(['init', '-q', '--bare', '-b', 'main', origin])
  await work.git(['remote', 'add', 'origin', origin])
  await work.git(['push', '-q', 'origin', 'main'])
  await cluster.client.call('createApp', { body: { name: 'shop', repository: origin } })
  await cluster.mustBerth(['pipeline', 'set', 'shop', '--branch', 'main', '--deploy', 'production'])
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

const served = async (): Promise<string> => {
  const answer = await cluster.first.exec(['wget', '-q', '-O', '-', '--header', 'Host: shop.test', 'http://127.0.0.1/'])
  return answer.code === 0 ? (JSON.parse(answer.stdout) as { version: string }).version : ''
}

it('git push → webhook → image → deployed', async () => {
  const commit = await work.commit(webApp({ replicas: 1, version: '2' }), 'the second one')
  const build = await push()
  expect(build).toMatchObject({ state: 'succeeded', commit, subject: 'the second one', createdBy: 'pipeline:shop' })
  await until('version 2 to serve', async () => (await served()) === '2')
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
