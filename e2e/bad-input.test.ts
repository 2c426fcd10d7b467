import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { until } from './support/load.ts'

let cluster: Cluster
let shop: Repository

beforeAll(async () => {
  cluster = await Cluster.start()
  shop = await cluster.repository('shop', webApp({ replicas: 1 }))
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
})
afterAll(() => cluster[Symbol.asyncDispose]())

const deploy = (args: readonly string[] = []) => cluster.berth(['deploy', ...args], { cwd: shop.path })
const yaml = (extra: string, entrypointExtra = '') =>
  shop.commit(webApp({ replicas: 1, version: String(Math.random()), extra, entrypointExtra }))
const containers = async () => (await cluster.containers()).map((each) => each.name)

describe('each mistake gets an error that names what and where', () => {
  it('invalid YAML and unknown keys: line, column and suggestion; nothing is built', async () => {
    await shop.commit({
      'berth.yaml':
        'app: shop\nbuild:\n  bse: berth/node:local\nentrypoints:\n  web:\n    command: node server.js\n    cpu: -1\n',
    })
    const result = await deploy()
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/3:3.*bse[\s\S]*did you mean "base"[\s\S]*7:\d+.*cpu/)
  })

  it('a commit that does not exist', async () => {
    const result = await deploy(['--ref', 'deadbeef'])
    expect(result).toMatchObject({ code: 1 })
    expect(result.stderr).toMatch(/deadbeef/)
  })

  it('a repository that does not exist', async () => {
    const result = await cluster.berth(['deploy', 'shop', '--repository', '/no/such/repository'])
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('/no/such/repository')
  })

  it('a path and names with shell characters do nothing but fail', async () => {
    for (const args of [
      ['deploy', 'shop', '--repository', '/tmp/$(touch /tmp/pwned)'],
      ['deploy', 'shop', '--ref', '--upload-pack=touch /tmp/pwned'],
      ['ps', 'a;touch /tmp/pwned'],
      ['exec', '$(touch /tmp/pwned)'],
    ]) {
      const result = await cluster.berth(args, { cwd: shop.path })
      expect(result.code, args.join(' ')).not.toBe(0)
    }
    expect((await cluster.first.exec(['ls', '/tmp/pwned'])).code).not.toBe(0)
  })

  it('a build that fails: which step, its exit code and last words', async () => {
    await shop.commit({
      'berth.yaml':
        webApp()['berth.yaml']?.replace(
          '  base: berth/node:local',
          '  base: berth/node:local\n  run: ["echo about to fail; exit 9"]',
        ) ?? '',
    })
    const result = await deploy()
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/about to fail[\s\S]*9/)
  })

  it('a build that hangs can be cancelled, and ends by its own time limit', async () => {
    await shop.commit({
      'berth.yaml':
        webApp()['berth.yaml']?.replace(
          '  base: berth/node:local',
          '  base: berth/node:local\n  run: ["sleep 1000"]',
        ) ?? '',
    })
    const id = (await deploy(['--detach'])).stdout.trim()
    await until(
      'it to run',
      async () => (await cluster.client.call('getBuild', { params: { id } })).state === 'running',
    )
    await cluster.mustBerth(['builds', id, '--cancel'])
    const build = (await cluster.mustBerth(['builds', id, '-o', 'json'])).json<BuildView>()
    expect(build).toMatchObject({ state: 'cancelled', error: { code: 'build.cancelled' } })
    await until(
      'its container to go',
      async () =>
        (await cluster.first.exec(['docker', 'ps', '-q', '--filter', 'status=running'])).stdout.trim().split('\n')
          .length === 1,
    )
  })

  it('an image that exits at once', async () => {
    await shop.commit({
      ...webApp({ version: 'exits' }),
      'server.js': "console.log('cannot find config'); process.exit(1)",
    })
    const result = await deploy()
    expect(result.code).toBe(3)
    expect(result.stderr).toMatch(/exited 3 times[\s\S]*cannot find config/)
  })

  it('out of memory is said as such', async () => {
    await shop.commit({
      ...webApp({ version: 'oom' }),
      'server.js': 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))',
    })
    const result = await deploy()
    expect(result.code).toBe(3)
    expect(result.stderr).toContain('out of memory')
  })

  it('a missing secret, with the command that sets it', async () => {
    await yaml('', '    secrets: [API_KEY]')
    const result = await deploy()
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('berth secret set shop API_KEY')
  })

  it('a port on the node that is taken', async () => {
    const holder = await cluster.first.spawn([
      process.execPath,
      '-e',
      "require('node:net').createServer().listen(9099)",
    ])
    try {
      await shop.commit({
        'berth.yaml':
          webApp({ replicas: 1 })
            ['berth.yaml']?.replace('http: 8080', 'http: {port: 8080, hostPort: 9099}')
            .replace('    health:', '    readyTimeout: 5s\n    health:') ?? '',
      })
      const result = await deploy()
      expect(result.code, result.stderr).toBe(3)
      expect(result.stderr).toContain('9099')
    } finally {
      holder.kill('SIGKILL')
    }
  })

  it('more CPU than any node has: why, in numbers', async () => {
    await shop.commit({
      'berth.yaml':
        webApp({ replicas: 1 })
          ['berth.yaml']?.replace('cpu: 0.1', 'cpu: 400')
          .replace('    health:', '    readyTimeout: 3s\n    health:') ?? '',
    })
    const plan = await cluster.berth(['plan'], { cwd: shop.path })
    expect(plan.stdout).toContain('400 cores are more than any node has: at most')
    const result = await deploy()
    expect(result.code).toBe(3)
    expect(result.stderr).toContain('400 cores are more than any node has')
  })

  it('a wrong token, and none', async () => {
    const url = `https://${cluster.first.address}:7600`
    for (const token of ['berth_nobody_wrong', '']) {
      const result = await cluster.berth(['ps'], {
        env: {
          BERTH_SERVER: url,
          BERTH_TOKEN: token,
          BERTH_AUTHORITY: '/var/lib/berth/server/authority/authority.pem',
        },
      })
      expect(result.code).toBe(1)
      expect(result.stderr).toMatch(/token|Bearer/)
    }
  })

  it('after all that, what served before serves, and nothing half-made is left', async () => {
    const { stdout } = await cluster.first.exec(['curl', '-s', '-H', 'Host: shop.test', 'http://127.0.0.1/'])
    expect(JSON.parse(stdout)).toMatchObject({ release: 'v1' })
    await until('one container', async () => (await containers()).length === 1)
    expect(await containers()).toEqual([expect.stringMatching(/^shop\.production\.web-\d+$/)])
  })
})
