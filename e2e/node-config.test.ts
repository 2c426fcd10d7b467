import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigPlanView, NodeConfigStatusView } from '../packages/api/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

let cluster: Cluster
let repository: Repository
let second: LabHost
let before: string

const head = 'rollout: {batch: 2, within: 20s}\nrules:\n'
const first = `${head}  - docker:
      options: {max-concurrent-downloads: 5, default-shm-size: 65M}
      mirrors: ["http://127.0.0.1:5999"]
    sysctls: {net.core.somaxconn: 1234}
    files:
      /etc/berth-test.conf: {from: files/test.conf, mode: "0640"}
    checks: [test -s /etc/berth-test.conf]
`

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  second = cluster.lab.host('h2')
  await cluster.join(second)
  before = await daemonJson(second)
  const app = await cluster.repository('shop', webApp({ replicas: 2 }))
  await cluster.mustBerth(['deploy', 'shop', '--repository', app.path])
  repository = await cluster.repository('nodes', { 'nodes.yaml': first, 'files/test.conf': 'a = 1\n' })
}, 180_000)
afterAll(() => cluster[Symbol.asyncDispose]())

const daemonJson = (host: LabHost) => host.exec(['cat', '/etc/docker/daemon.json']).then(({ stdout }) => stdout)
const somaxconn = (host: LabHost) =>
  host.exec(['cat', '/proc/sys/net/core/somaxconn']).then(({ stdout }) => stdout.trim())
const containers = async () => [...(await cluster.containers()), ...(await cluster.containers(second))]
const status = async () =>
  (await cluster.mustBerth(['node', 'config', 'status', '-o', 'json'])).json<NodeConfigStatusView>()
const states = async () => (await status()).nodes.map(({ node, config }) => `${node} ${config.version} ${config.state}`)
const apply = (more: readonly string[] = []) => cluster.berth(['node', 'config', 'apply', '-y', ...more])
const events = async (type: string) =>
  (await cluster.client.list('listEvents', { query: {} })).items.filter((each) => each.type === type)

describe('the node configuration', () => {
  it('shows what it would change on each node, and changes it while containers and traffic go on', async () => {
    const planned = await cluster.berth(['node', 'config', 'plan', '--repository', repository.path, '-o', 'json'])
    expect(planned.code).toBe(1)
    const { nodes } = planned.json<ConfigPlanView>()
    expect(nodes.map(({ node, docker, problems }) => ({ node, docker, problems }))).toEqual([
      { node: 'h1', docker: 'restart', problems: [] },
      { node: 'h2', docker: 'restart', problems: [] },
    ])
    expect(nodes[1]?.changes.map(({ key }) => key)).toEqual([
      'file/etc/berth-test.conf',
      'sysctl/net.core.somaxconn',
      'docker/default-shm-size',
      'docker/max-concurrent-downloads',
      'docker/registry-mirrors',
    ])
    const running = await containers()
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
    const applied = await apply(['--repository', repository.path])
    expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('version 1: done') })
    expect((await load.stop()).failures).toEqual([])
    expect(await containers()).toEqual(running)
    expect(await states()).toEqual(['h1 1 applied', 'h2 1 applied'])
    const document = JSON.parse(await daemonJson(second))
    expect(document).toMatchObject({
      'live-restore': true,
      'default-shm-size': '65M',
      'registry-mirrors': ['http://127.0.0.1:5999/'],
    })
    expect((await second.exec(['docker', 'info', '-f', '{{.RegistryConfig.Mirrors}}'])).stdout).toContain(
      '127.0.0.1:5999',
    )
    expect(await somaxconn(second)).toBe('1234')
    const stat = await second.exec(['stat', '-c', '%a %U %s', '/etc/berth-test.conf'])
    expect(stat.stdout).toBe('640 root 6\n')
    const again = await cluster.berth(['node', 'config', 'plan', '--repository', repository.path])
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('no changes') })
  }, 90_000)

  it('undoes what does a node no good, says why, and goes to no other node', async () => {
    const bad = first
      .replace('batch: 2, within: 20s', 'batch: 1, within: 8s')
      .replace('65M', '66M')
      .replace('1234', '2345')
      .replace('[test -s /etc/berth-test.conf]', '[sh -c "echo it is not well >&2; exit 3"]')
    await repository.commit({ 'nodes.yaml': bad, 'files/test.conf': 'a = 2\n' })
    const running = await containers()
    const applied = await apply()
    expect(applied.code).toBe(1)
    expect(applied.stdout).toContain('version 2: stopped')
    expect(applied.stderr).toContain('it is not well')
    expect(await states()).toEqual(['h1 1 undone', 'h2 1 waiting'].map((each) => each.replace('waiting', 'applied')))
    expect(JSON.parse(await daemonJson(cluster.first))).toMatchObject({ 'default-shm-size': '65M' })
    expect(await somaxconn(cluster.first)).toBe('1234')
    expect((await cluster.first.exec(['cat', '/etc/berth-test.conf'])).stdout).toBe('a = 1\n')
    expect(await containers()).toEqual(running)
    expect(await events('configuration.undone')).toHaveLength(1)
  }, 90_000)

  it('goes on where a killed agent was, and tells what somebody has changed by hand since', async () => {
    const slow = first.replace('mode: "0640"', 'mode: "0640", run: sh -c "echo run >>/etc/berth-runs; sleep 2"')
    await repository.commit({ 'nodes.yaml': slow, 'files/test.conf': 'a = 3\n' })
    const applying = apply()
    const runs = join(second.dir, 'etc/berth-runs')
    await until('the command of the file', () => existsSync(runs))
    process.kill(await cluster.pidOf('agent', second), 'SIGKILL')
    expect(await applying).toMatchObject({ code: 0, stdout: expect.stringContaining('version 3: done') })
    expect(readFileSync(runs, 'utf8')).toBe('run\nrun\n')
    expect(await states()).toEqual(['h1 3 applied', 'h2 3 applied'])
    await second.exec(['sh', '-c', 'echo 77 >/proc/sys/net/core/somaxconn'])
    await cluster.berth(['node', 'config', 'plan'])
    await until('the drift to be told', async () => (await status()).nodes[1]?.config.drift.length === 1)
    const shown = await cluster.mustBerth(['node', 'show', 'h2'])
    expect(shown.stdout).toContain('it is not as version 3 of the node configuration says: sysctl/net.core.somaxconn')
  }, 90_000)

  it('gives everything back that the machine had before', async () => {
    const back = await cluster.berth(['node', 'config', 'rollback', '--to', '0', '-y'])
    expect(back).toMatchObject({ code: 0, stdout: expect.stringContaining('version 4: done') })
    expect(JSON.parse(await daemonJson(second))).toEqual(JSON.parse(before))
    expect(existsSync(join(second.dir, 'etc/berth-test.conf'))).toBe(false)
    expect((await second.exec(['ls', '/etc/sysctl.d/90-berth.conf'])).code).not.toBe(0)
    // What somebody had changed by hand is theirs.
    expect(await somaxconn(second)).toBe('77')
    expect(await somaxconn(cluster.first)).not.toBe('1234')
  }, 90_000)
})
