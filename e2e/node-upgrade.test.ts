import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView } from '../packages/api/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'
import { isLongForm } from './support/long-form.ts'

/** A node that came with another version than the server's: the same program, built with another number. */
const root = join(import.meta.dirname, '..')
const otherVersion = '0.1.9'
const other = join(root, `dist/berth-${otherVersion}`)
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

let cluster: Cluster
let second: LabHost

beforeAll(async () => {
  if (!existsSync(other)) {
    const args = [join(root, 'scripts/build-binary.ts'), '--keep-console', '--version', otherVersion, '--output', other]
    execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  }
  cluster = await Cluster.start({ hosts: 2 })
  second = cluster.lab.host('h2')
  await using sshd = await second.startSshd()
  const login = ['--key', sshd.keyFile, '--host-key', sshd.hostKey, '--no-gateway', `root@${second.address}`]
  await cluster.mustBerth(['node', 'add', '--executable', other, ...login])
}, 300_000)
afterAll(() => cluster[Symbol.asyncDispose]())

const node = () => cluster.client.call('getNode', { params: { name: 'h2' } })
const supervisor = () =>
  JSON.parse(readFileSync(join(second.dir, 'berth/supervisor.json'), 'utf8')).supervisor.pid as number

describe('berth node exec', () => {
  it('runs a command on the node itself, with its output, its exit code, its input, and a note of who did', async () => {
    const ran = await cluster.berth(['node', 'exec', 'h2', '--', 'sh', '-c', 'hostname; echo secret-word >&2; exit 3'])
    expect(ran).toMatchObject({ code: 3, stdout: 'h2\n', stderr: expect.stringContaining('secret-word') })
    const piped = await cluster.berth(['node', 'exec', '-i', 'h2', '--', 'sort'], { input: 'b\na\n' })
    expect(piped).toMatchObject({ code: 0, stdout: 'a\nb\n' })
    const none = await cluster.berth(['node', 'exec', 'h2', '--', 'no-such-program'])
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no such program') })
    const { items } = await cluster.client.list('listEvents', { query: {} })
    const events = items.filter(({ type }) => type === 'node.exec')
    expect(events).toHaveLength(3)
    expect(JSON.stringify(events)).not.toContain('secret-word')
  })

  it('has a terminal by -it', async () => {
    const line = `${join(root, 'dist/berth')} node exec -it h2 -- sh -c "tty; stty size; exit 4"`
    const typed = await cluster.first.exec([
      'script',
      '-q',
      '-e',
      '-c',
      `stty columns 99 rows 22; ${line}`,
      '/dev/null',
    ])
    // `script` types an end of file at its terminal, which shows it as long as nobody reads what is typed there.
    expect(typed.stdout.replaceAll(/\r|\^@/g, '')).toMatch(/\/dev\/pts\/\d+\n22 99\n/)
    expect(typed.code).toBe(4)
  })
})

describe('berth node upgrade', () => {
  it.skipIf(!isLongForm)(
    'puts the old executable back when the new one is not heard of in time (long form: waits a minute)',
    async () => {
      expect(await node()).toMatchObject({ agentVersion: otherVersion, online: true })
      const upgrading = cluster.berth(['node', 'upgrade', 'h2'])
      await until(
        'the switch',
        () => {
          const file = join(second.dir, 'berth/agent/upgrade.json')
          return existsSync(file) && readFileSync(file, 'utf8').includes('switching')
        },
        120_000,
      )
      await second.setLink('down')
      await until(
        'the way back',
        () => readFileSync(join(second.dir, 'berth/agent/upgrade.json'), 'utf8').includes('rolled-back'),
        120_000,
      )
      await second.setLink('up')
      expect(await upgrading).toMatchObject({ code: 1, stderr: expect.stringContaining('it was rolled back to 0.1.9') })
      expect(await node()).toMatchObject({ agentVersion: otherVersion, upgrade: { state: 'rolled-back' } })
      expect((await node()).problems.join()).toContain('was rolled back')
    },
    300_000,
  )

  it('restarts the agent without touching containers or traffic, and keeps the old executable', async () => {
    const repository = await cluster.repository('shop', webApp({ replicas: 2 }))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const before = await cluster.containers(second)
    expect(before.length).toBeGreaterThan(0)
    const former = supervisor()
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
    const listed = await cluster.mustBerth(['node', 'upgrade', '--all', '--dry-run'])
    expect(listed.stderr).toContain(`h2: ${otherVersion} → ${version}`)
    expect(listed.stderr).not.toContain('h1')
    const done = await cluster.mustBerth(['node', 'upgrade', '--all'])
    expect(done.stderr).toContain(`h2  has version ${version}`)
    expect((await load.stop()).failures).toEqual([])
    expect(await cluster.containers(second)).toEqual(before)
    expect(await node()).toMatchObject({
      agentVersion: version,
      upgrade: { state: 'done', from: otherVersion, to: version },
      problems: [],
    })
    expect((await second.exec(['/usr/local/bin/berth.old', '--version'])).stdout.trim()).toBe(otherVersion)
    await until('a supervisor of the new version', () => supervisor() !== former)
    const all = (await cluster.mustBerth(['ps', '-o', 'json'])).json<InstanceView[]>()
    expect(all.every((each) => each.ready)).toBe(true)
    expect((await cluster.mustBerth(['node', 'upgrade', 'h2'])).stderr).toContain(`has version ${version} already`)
  }, 300_000)
})
