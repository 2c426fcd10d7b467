import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView, NodeView } from '../packages/api/src/index.ts'
import { type LabHost, type LabSshd, startRelay } from '../packages/lab/src/index.ts'
import { webApp } from './support/apps.ts'
import { berthBinary, Cluster } from './support/cluster.ts'
import { until } from './support/load.ts'

/** Machines that nobody has touched but with SSH: a real sshd, a real dockerd, and `berth node add` from the first host. */
let cluster: Cluster
let second: LabHost
let third: LabHost
let sshd: LabSshd
let dir: string

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 3 })
  second = cluster.lab.host('h2')
  third = cluster.lab.host('h3')
  sshd = await second.startSshd()
  dir = join(cluster.lab.dir, 'ssh')
  writeFileSync(join(dir, 'known_hosts'), `${sshd.knownHost}\n`)
})
afterAll(() => cluster[Symbol.asyncDispose]())

const add = (...args: string[]) =>
  cluster.berth([
    'node',
    'add',
    '--key',
    sshd.keyFile,
    '--known-hosts',
    join(dir, 'known_hosts'),
    '--no-gateway',
    ...args,
  ])
const node = (name: string) => cluster.client.call('getNode', { params: { name } })
const part = (host: LabHost) => host.exec(['sh', '-c', 'cat /usr/local/bin/.berth-*.part 2>/dev/null | wc -c'])
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

describe('berth node add', () => {
  it('takes no machine whose key is another than the one known, or that nobody knows', async () => {
    const wrong = await add('--host-key', `SHA256:${'A'.repeat(43)}`, `root@${second.address}`)
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining(`its key is ${sshd.hostKey}`) })
    await using _other = await third.startSshd()
    const unknown = await add(`root@${third.address}`)
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody here has seen it before') })
    expect(existsSync(join(third.dir, 'usr-local/bin/berth'))).toBe(false)
  })

  it('says all that stands in the way at once, and does nothing by --dry-run', async () => {
    const port = await second.spawn([process.execPath, '-e', "require('net').createServer().listen(80)"])
    await until('port 80 to be taken', async () =>
      (await second.exec(['sh', '-c', 'grep -c ":0050 .* 0A " /proc/net/tcp /proc/net/tcp6'])).stdout.includes(':1'),
    )
    const looked = await cluster.berth([
      ...['node', 'add', '--key', sshd.keyFile, '--known-hosts', join(dir, 'known_hosts'), '--dry-run'],
      ...['--node', 'h1', '--server', `${cluster.first.address}:7999`, `root@${second.address}`],
    ])
    expect(looked.code).toBe(1)
    for (const words of [
      'another machine is node h1 already',
      'port 80 already',
      `${cluster.first.address}:7999 (the API) refuses connections`,
    ])
      expect(looked.stderr).toContain(words)
    port.kill('SIGKILL')
    await port.exited
    const fine = await add('--dry-run', `root@${second.address}`)
    expect(fine).toMatchObject({ code: 0, stderr: expect.stringContaining('copy the executable') })
    expect((await cluster.client.list('listNodes')).items).toHaveLength(1)
    expect(existsSync(join(second.dir, 'usr-local/bin/berth'))).toBe(false)
  })

  it('goes on with the copy when the connection is cut half-way, and the node comes online', async () => {
    await using line = await startRelay({
      to: sshd,
      listen: cluster.lab.serverAddress,
      cutAfterBytes: 12_000_000,
      cuts: 2,
    })
    const place = `root@${cluster.lab.serverAddress}:${line.port}`
    const args = ['--host-key', sshd.hostKey, '--address', second.address, '--label', 'disk=ssd', '--node', 'h2', place]
    const added = await add(...args)
    expect(added).toMatchObject({ code: 0, stderr: expect.stringContaining('node h2 is online') })
    expect(line.cut).toBe(2)
    expect((await part(second)).stdout.trim()).toBe('0')
    expect(sha256(join(second.dir, 'usr-local/bin/berth'))).toBe(sha256(berthBinary))
    expect(await node('h2')).toMatchObject({ online: true, address: second.address, labels: { disk: 'ssd' } })
    const words = await second.exec(['sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])
    expect(words.stdout).not.toMatch(/\.[0-9a-f]{64}/)
  })

  it('may be repeated: nothing is copied, nothing restarts, labels follow', async () => {
    const before = await cluster.pidOf('agent', second)
    const again = await add('--label', 'disk=nvme', `root@${second.address}`)
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('node h2 is online') })
    expect(again.stderr).not.toContain('gets the executable')
    expect(await cluster.pidOf('agent', second)).toBe(before)
    expect(await node('h2')).toMatchObject({ labels: { disk: 'nvme' } })
  })

  it('brings in many from an inventory; a bad one stops no other, and the exit code tells', async () => {
    await using free = await third.startSshd({ user: 'ann', sudo: 'free' })
    await cluster.mustBerth(['group', 'create', 'fast'])
    const inventory = join(dir, 'hosts.yaml')
    const hosts = [
      `  - {host: ${third.address}, user: ann, hostKey: "${free.hostKey}", node: shed-3, group: fast, network: routed, labels: {rack: 7}}`,
      `  - {host: ${second.address}, user: nobody-there}`,
    ]
    writeFileSync(inventory, `defaults:\n  gateway: false\nhosts:\n${hosts.join('\n')}\n`)
    const added = await add('--inventory', inventory)
    expect(added.code).toBe(1)
    expect(added.stderr).toContain('node shed-3 is online')
    expect(added.stderr).toContain('1 of 2 machines are nodes; not: nobody-there@')
    expect(await node('shed-3')).toMatchObject({
      ...{ online: true, group: 'fast', labels: { rack: '7' } },
      network: { driver: 'routed' },
    })
  })

  it('an app is scaled over the machines that came so', async () => {
    await cluster.mustBerth(['group', 'rm', 'fast', '-y']).catch(() => undefined)
    const repository = await cluster.repository('shop', webApp({ replicas: 4 }))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const all = (await cluster.mustBerth(['ps', '-o', 'json'])).json<InstanceView[]>()
    expect([...new Set(all.map((each) => each.node))].sort()).toEqual(['h1', 'h2'])
    await cluster.mustBerth(['scale', 'shop/web', '6'])
    await until(
      'six ready',
      async () =>
        (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter((each) => each.ready)
          .length === 6,
    )
    const nodes = (await cluster.mustBerth(['node', 'ls', '-o', 'json'])).json<NodeView[]>()
    expect(nodes.filter((each) => each.online)).toHaveLength(3)
  })
})

describe('bad days', () => {
  it('no sudo, a user who may not log in, and a full disk are said with what to do', async () => {
    const fourth = await cluster.lab.addHost({ name: 'h4', startDockerd: false })
    await using ann = await fourth.startSshd({ user: 'ann', sudo: 'none' })
    const refused = await add('--host-key', ann.hostKey, `ann@${fourth.address}`)
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'not root, and sudo asks for a password, does not take the one that was given, or refuses',
      ),
    })
    const stranger = await add('--host-key', ann.hostKey, `bob@${fourth.address}`)
    expect(stranger).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it lets nobody in by what was tried (publickey)'),
    })

    await using _root = await fourth.startSshd({ port: 2222, password: 'correct horse', user: 'eve', sudo: 'password' })
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'password'), 'correct horse\n', { mode: 0o600 })
    await fourth.exec(['mount', '-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', '/usr/local/bin'])
    const full = await add(
      '--host-key',
      ann.hostKey,
      '--password-file',
      join(dir, 'password'),
      `eve@${fourth.address}:2222`,
    )
    expect(full).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/only \d+ MiB free where the executable goes/),
    })
    expect(full.stderr).not.toContain('correct horse')
    await fourth.exec(['umount', '/usr/local/bin'])
    const added = await add(
      '--host-key',
      ann.hostKey,
      '--password-file',
      join(dir, 'password'),
      `eve@${fourth.address}:2222`,
    )
    expect(added).toMatchObject({ code: 0, stderr: expect.stringContaining('node h4 is online') })
  })

  it('a node of another cluster, and a clock that is hours off, are not taken', async () => {
    const fifth = await cluster.lab.addHost({ name: 'h5', startDockerd: false })
    await using root = await fifth.startSshd()
    const foreign = { name: 'h5', address: fifth.address, cluster: 'f'.repeat(64), servers: [] }
    await fifth.exec(['mkdir', '-p', '/var/lib/berth/agent'])
    await fifth.exec(['tee', '/var/lib/berth/agent/node.json'], { input: JSON.stringify(foreign) })
    const taken = await add('--host-key', root.hostKey, `root@${fifth.address}`)
    expect(taken).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is node h5 of another cluster (authority ffff'),
    })
    await fifth.exec(['rm', '/var/lib/berth/agent/node.json'])
    await fifth.exec(['tee', '/usr/local/bin/date'], { input: '#!/bin/sh\nexec faketime -f -5h /bin/date "$@"\n' })
    await fifth.exec(['chmod', '755', '/usr/local/bin/date'])
    const late = await add('--host-key', root.hostKey, `root@${fifth.address}`)
    expect(late.code).toBe(1)
    expect(late.stderr).toMatch(/its clock is (5 h|300 min) behind the server's/)
  })
})

describe('berth node join', () => {
  it('says what is wrong with token, name and clock at once, and may be repeated', async () => {
    const { token } = (await cluster.mustBerth(['node', 'token', '-o', 'json'])).json<{ token: string }>()
    const sixth = await cluster.lab.addHost({ name: 'h6', startDockerd: false })
    const args = (name: string) => [
      'node',
      'join',
      '--server',
      `${cluster.first.address}:7600`,
      '--node',
      name,
      '--address',
      sixth.address,
      '--no-gateway',
    ]
    const env = { BERTH_JOIN_TOKEN: token }
    const late = await sixth.exec(['faketime', '-f', '-5h', berthBinary, ...args('h6')], { env })
    expect(late.code).toBe(1)
    expect(late.stderr).toMatch(/its clock is 5 h behind the server's/)
    const twin = await cluster.berth(args('h2'), { host: sixth, env })
    expect(twin).toMatchObject({ code: 1, stderr: expect.stringContaining('there is a node h2 already') })
    const dry = await cluster.berth([...args('h6'), '--dry-run'], { host: sixth, env })
    expect(dry).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('would start the agent, and join with a one-time token'),
    })
    await cluster.mustBerth(args('h6'), { host: sixth, env })
    expect(await node('h6')).toMatchObject({ online: true })
    const again = await cluster.mustBerth(args('h6'), { host: sixth, env })
    expect(again.stderr).toContain('h6 is a node of this cluster already')
    const used = await cluster.berth(
      args('h7').map((word) => (word === sixth.address ? third.address : word)),
      { host: cluster.lab.host('h5'), env },
    )
    expect(used).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the join token was used by node h6 already'),
    })
  })
})
