import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registryLogin, registryUsers } from '../packages/agent/src/testing/test-registry.ts'
import type { BuildView, ImageView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { until } from './support/load.ts'

/** What images stand on: levels that ship inside the executable, and a private registry. No machine here can reach a public one. */
let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())

const get = async (app: string): Promise<string> => {
  const url = 'http://127.0.0.1/'
  return (await cluster.first.exec(['curl', '-s', '-m', '10', '-H', `Host: ${app}.test`, url])).stdout
}

const on = (build: string, app: string, version: string): Record<string, string> => {
  const files = webApp({ app, version, replicas: 1 })
  return { ...files, 'berth.yaml': (files['berth.yaml'] ?? '').replace('  base: berth/node:local\n', build) }
}

const images = async (): Promise<ImageView[]> =>
  (await cluster.mustBerth(['image', 'ls', '-o', 'json'])).json<ImageView[]>()

const lastBuild = async (app: string): Promise<BuildView | undefined> =>
  (await cluster.mustBerth(['builds', '--app', app, '-o', 'json'])).json<BuildView[]>()[0]

describe('levels that ship with Berth', () => {
  it('are laid out of the executable, built, and run an app', async () => {
    const shop = await cluster.repository('shop', on('  base: berth/base:local\n  runtimes: [node]\n', 'shop', '1'))
    await cluster.mustBerth(['deploy'], { cwd: shop.path })
    expect(JSON.parse(await get('shop'))).toMatchObject({ version: '1', release: 'v1' })
    const output = (await cluster.mustBerth(['builds', (await lastBuild('shop'))?.id ?? ''])).stdout
    expect(output).toMatch(/level node: building berth\/level-node:[0-9a-f]{12} \(.*levels-shipped\/node\)/)
  })

  it('are shared by apps, also as a base, and are not built again', async () => {
    const blog = await cluster.repository('blog', on('  base: node\n', 'blog', '1'))
    await cluster.mustBerth(['deploy'], { cwd: blog.path })
    expect(JSON.parse(await get('blog'))).toMatchObject({ version: '1' })
    const output = (await cluster.mustBerth(['builds', (await lastBuild('blog'))?.id ?? ''])).stdout
    expect(output).toMatch(/level node: berth\/level-node:[0-9a-f]{12} is there/)
    expect(output).not.toContain('building berth/level')
  })

  it('that need an image which nobody can pull say so', async () => {
    const far = await cluster.repository('far', on('  base: debian\n', 'far', '1'))
    const { code, stderr } = await cluster.berth(['deploy'], { cwd: far.path })
    expect(code).toBe(1)
    expect(stderr).toContain('base image debian:12-slim is not on node h1 and cannot be pulled')
  })
})

describe('a base in a private registry', () => {
  const host = '127.0.0.1:5000'

  const serve = async (name: string, auth: object): Promise<AsyncDisposable> => {
    const folder = join(cluster.dir, 'registry')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'users'), registryUsers)
    const config = {
      ...{ version: 0.1, log: { level: 'error', accesslog: { disabled: true } }, http: { addr: host } },
      ...{ storage: { filesystem: { rootdirectory: join(folder, 'data') } }, ...auth },
    }
    writeFileSync(join(folder, `${name}.yml`), JSON.stringify(config))
    const registry = await cluster.first.spawn(['docker-registry', 'serve', join(folder, `${name}.yml`)])
    const answers = async () => (await cluster.first.exec(['curl', '-s', '-m', '2', `http://${host}/v2/`])).code === 0
    await until('the registry', answers)
    return {
      [Symbol.asyncDispose]: async () => {
        registry.kill('SIGKILL')
        await registry.exited
      },
    }
  }

  it('is pulled with the login that the cluster was given, and only with it', async () => {
    const docker = (...args: string[]) => cluster.first.exec(['docker', ...args])
    const base = `${host}/team/node:1`
    const open = await serve('open', {})
    await docker('tag', 'berth/node:local', base)
    expect((await docker('push', base)).code).toBe(0)
    await docker('rmi', base)
    await open[Symbol.asyncDispose]()
    const auth = { htpasswd: { realm: 'test', path: join(cluster.dir, 'registry/users') } }
    await using _closed = await serve('closed', { auth })

    const secret = await cluster.repository('secret', on(`  base: ${base}\n`, 'secret', '1'))
    const refused = await cluster.berth(['deploy'], { cwd: secret.path })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`base image ${base} is not on node h1 and cannot be pulled`)
    expect(refused.stderr).toContain('berth registry login')
    await cluster.mustBerth(['registry', 'login', host, '-u', registryLogin.username], {
      input: registryLogin.password,
    })
    await cluster.mustBerth(['deploy'], { cwd: secret.path })
    expect(JSON.parse(await get('secret'))).toMatchObject({ version: '1' })
    const shown = [
      await cluster.mustBerth(['registry', 'ls', '-o', 'json']),
      await cluster.mustBerth(['events', '-n', '1000', '-o', 'json']),
    ]
    for (const { stdout } of shown) expect(stdout).not.toContain(registryLogin.password)
    expect(
      JSON.stringify((await cluster.first.exec(['grep', '-rlF', registryLogin.password, '/var/lib/berth'])).stdout),
    ).toBe('""')
  })
})

describe('images of releases that are gone', () => {
  it('go from the node; what others stand on stays', async () => {
    const before = await images()
    expect(before.filter((image) => image.app === 'shop')).toMatchObject([{ state: 'used', releases: ['shop@v1'] }])
    await cluster.mustBerth(['rm', 'shop', '-y'])
    await until('no need of it', async () =>
      (await images()).every((image) => image.app !== 'shop' || image.state === 'new'),
    )
    const pruned = (await cluster.mustBerth(['image', 'prune', '-y', '-o', 'json'])).json<ImageView[]>()
    expect(pruned.map((image) => image.app)).toEqual(['shop'])
    const left = (await cluster.first.exec(['docker', 'images', '--format', '{{.Repository}}', 'berth/*'])).stdout
    expect(left).not.toContain('berth/app-shop')
    for (const name of ['berth/app-blog', 'berth/app-secret', 'berth/level-node', 'berth/base'])
      expect(left).toContain(name)
    expect(JSON.parse(await get('blog'))).toMatchObject({ version: '1' })
    const events = (await cluster.mustBerth(['events', '-o', 'json'])).json<{ type: string }[]>()
    expect(events.map((event) => event.type)).toContain('node.images-removed')
  })
})
