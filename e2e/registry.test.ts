import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClusterRegistryView, RolloutView } from '../packages/api/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp, webSource } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { until } from './support/load.ts'

let cluster: Cluster
let second: LabHost
let repository: Repository
let host: string

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  const [, other] = cluster.lab.hosts
  if (other === undefined) throw new Error('a lab of two has two hosts')
  second = other
  host = `${second.address}:5000`
  await cluster.join(second)
  await cluster.untilOnline(2)
  // One builds; the other runs the registry.
  await cluster.mustBerth(['node', 'label', 'h1', 'build=true'])
  repository = await cluster.repository('shop', webApp({ version: '0' }))
})
afterAll(() => cluster[Symbol.asyncDispose]())

const status = (): Promise<ClusterRegistryView> => cluster.client.call('getClusterRegistry')
const complete = (images: number) =>
  until(
    `${images} images in the registry`,
    async () => {
      const found = await status()
      return found.missing === 0 && found.images === images ? found : undefined
    },
    90_000,
  )
const images = async (on: LabHost): Promise<string[]> =>
  (await on.exec(['docker', 'images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout.split('\n')
const latestImage = async (): Promise<string> => {
  const { items } = await cluster.client.list('listReleases', { params: { app: 'shop' } })
  return (items.toSorted((a, b) => b.createdAt - a.createdAt)[0]?.image ?? '').replace('sha256:', '')
}
const rollout = async (): Promise<RolloutView | undefined> =>
  (await cluster.client.list('listRollouts', { query: { app: 'shop', limit: 1 } })).items[0]
const folderOn = (on: LabHost): string => join(on.dir, 'berth/agent/registry')
const problemsOf = async (node: string): Promise<readonly string[]> =>
  (await cluster.client.list('listNodes')).items.find((each) => each.name === node)?.problems ?? []
const deploy = async (version: string): Promise<void> => {
  await repository.commit({ 'server.js': webSource(version) })
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
}

describe('a registry that Berth runs', () => {
  it('is made by one command, which says what it needs', async () => {
    expect((await cluster.mustBerth(['registry', 'status'])).stdout).toContain('no registry of its own')
    const unsaid = await cluster.berth(['registry', 'run'])
    expect([unsaid.code, unsaid.stderr]).toEqual([expect.any(Number), expect.stringContaining('--node')])
    const made = await cluster.mustBerth(['registry', 'run', '--node', 'h2', '-o', 'json'])
    expect(made.json()).toMatchObject({ node: 'h2', host, running: true, images: 0 })
    const open = await cluster.first.exec([
      'curl',
      '-sk',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `https://${host}/v2/`,
    ])
    expect(open.stdout).toBe('401')
  })

  it('gets what was built, and a node that misses it pulls it', async () => {
    await deploy('1')
    await complete(1)
    // A pulled image is named by its id, a copied one by its build.
    expect(await images(second)).toContain(`berth/app-shop:${await latestImage()}`)
    const there = [...(await images(cluster.first)), ...(await images(second))]
    expect(there.filter((each) => each.startsWith(host))).toEqual([])
    const log = readFileSync(join(cluster.first.dir, 'berth/logs/server.log'), 'utf8')
    expect(log).toContain('h2 pulled image')
    expect(log).not.toContain('copied image')
    expect(log).not.toMatch(/eyJ[\w-]{20,}\./)
  })

  it('is Docker’s to pull from only with a token, and with the certificate of the cluster', async () => {
    const image = `${host}/berth/app-shop:${await latestImage()}`
    const pulled = await cluster.first.exec(['docker', 'pull', image])
    expect([pulled.code, pulled.stderr]).toEqual([1, expect.stringMatching(/unauthorized|authentication|denied/)])
    const trust = `/etc/docker/certs.d/${host}/berth-cluster.crt`
    expect((await cluster.first.exec(['mv', trust, '/tmp/trust.crt'])).code).toBe(0)
    const strange = await cluster.first.exec(['docker', 'pull', image])
    expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining('x509')])
  })
})

describe('without it', () => {
  /** Another program at its port, with a certificate of nobody. */
  const impostor = async (): Promise<AsyncDisposable> => {
    const folder = join(cluster.dir, 'impostor')
    mkdirSync(folder, { recursive: true })
    const subject = ['-subj', '/CN=impostor', '-addext', `subjectAltName=IP:${second.address}`, '-days', '2']
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    expect((await second.exec(['openssl', 'req', '-x509', ...curve, ...subject, ...files])).code).toBe(0)
    const tls = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') }
    const storage = { filesystem: { rootdirectory: join(folder, 'images') } }
    const config = { version: 0.1, storage, http: { addr: host, tls } }
    writeFileSync(join(folder, 'config.yml'), JSON.stringify(config))
    const pid = readFileSync(join(folderOn(second), 'pid'), 'utf8').trim()
    // Its port is free when it is gone, and that takes a while on a busy machine; the agent looks every two seconds.
    const untilGone =
      'kill -9 "$1"; for i in $(seq 500); do kill -0 "$1" 2>/dev/null || exit 0; sleep 0.02; done; exit 1'
    expect((await second.exec(['sh', '-c', untilGone, 'sh', pid])).code).toBe(0)
    const other = await second.spawn(['docker-registry', 'serve', join(folder, 'config.yml')])
    return {
      [Symbol.asyncDispose]: async () => {
        other.kill('SIGKILL')
        await other.exited
      },
    }
  }

  it('a build is a build and a rollout a rollout; what it missed comes when it is back', async () => {
    {
      await using _ = await impostor()
      await until('the node to say so', async () =>
        (await problemsOf('h2')).some((each) => each.includes('listens there')),
      )
      await deploy('2')
      expect(await rollout()).toMatchObject({ state: 'succeeded' })
      expect(await status()).toMatchObject({ running: false, problem: expect.stringContaining('listens there') })
    }
    await until('it to run again', async () => (await status()).running)
    await complete(2)
    await until('no problem of its node', async () => (await problemsOf('h2')).length === 0)
  })

  it('it is made elsewhere while its node cannot be asked, and the old one ends when it can', async () => {
    await second.pause('agent')
    const moved = await cluster.mustBerth(['registry', 'run', '--node', 'h1', '--port', '5001', '-o', 'json'])
    expect(moved.json()).toMatchObject({ node: 'h1', host: `${cluster.first.address}:5001`, running: true })
    await complete(2)
    await second.resume('agent')
    await until('the old one to go', () => !existsSync(folderOn(second)))
    await until('h2 to be back', async () =>
      (await cluster.client.list('listNodes')).items.every((each) => each.online),
    )
  })
})

describe('its garbage', () => {
  it('goes with the releases, and never what runs or can be rolled back to', async () => {
    const blog = await cluster.repository('blog', webApp({ app: 'blog', replicas: 1 }))
    await cluster.mustBerth(['deploy', 'blog', '--repository', blog.path])
    await complete(3)
    await cluster.mustBerth(['rm', 'blog', '--yes'])
    await until('its releases to go', async () => {
      const { items } = await cluster.client.list('listApps')
      return items.every((each) => each.name !== 'blog')
    })
    const gone = (await cluster.mustBerth(['registry', 'gc', '-o', 'json'])).json()
    expect(gone).toMatchObject({ removed: 1 })
    const versions = (await cluster.mustBerth(['releases', 'shop', '--registry', '-o', 'json'])).json()
    const made = {
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      builtAt: expect.any(Number),
      bytes: expect.any(Number),
    }
    expect(versions).toEqual([expect.objectContaining({ ...made, releases: ['v2'] }), expect.objectContaining(made)])
    expect(await status()).toMatchObject({ running: true, images: 2, missing: 0, collected: { removed: 1 } })
    await cluster.mustBerth(['rollback', 'shop'])
    expect(await rollout()).toMatchObject({ state: 'succeeded' })
  })

  it('is nobody’s any more when the registry is stopped', async () => {
    await cluster.mustBerth(['registry', 'stop', '--purge', '--yes'])
    await until('it to go', () => !existsSync(folderOn(cluster.first)))
    expect((await cluster.mustBerth(['registry', 'status'])).stdout).toContain('no registry of its own')
  })
})
