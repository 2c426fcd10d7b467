import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Assignment, InstanceStatus } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { webCommand } from './testing/test-host.ts'
import { TestNode } from './testing/test-node.ts'
import { waitUntil } from './testing/wait-until.ts'

/** What an agent makes of assignments, on a real Docker. */
// Real machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
let node: TestNode

beforeAll(async () => {
  node = await TestNode.start({ keepEndedMs: 3_000, collectEveryMs: 200, diskLookMs: 200, diskLookShare: 0.5 })
})
afterAll(async () => await node?.[Symbol.asyncDispose]())
afterEach((context) => {
  if (context.task.result?.state === 'fail') process.stderr.write(node.log.slice(-6000))
})

const shell = (script: string): string[] => ['sh', '-c', script]
const status = (assignment: Assignment, what: string, condition: Parameters<TestNode['server']['status']>[2]) =>
  node.server.status(assignment.instance, what, condition)
const subnets: Readonly<Record<string, string>> = { storage: '192.168.71.0/24', vault: '192.168.72.0/24' }
const inspect = (assignment: Assignment) => JSON.parse(node.host.docker('inspect', assignment.instance))[0]

describe('a container', () => {
  it('is made to Berth’s standard', async () => {
    const assignment = node.assign({
      cpuMilli: 1300,
      memoryBytes: 96 * 2 ** 20,
      capabilities: ['NET_BIND_SERVICE'],
      sysctls: { 'net.core.somaxconn': '512' },
      ulimits: [{ name: 'nofile', soft: 2048, hard: 4096 }],
      init: true,
      labels: { team: 'harbour', 'berth.instance': 'a lie' },
      workingDirectory: '/tmp',
    })
    await node.server.ready(assignment.instance)
    const { HostConfig: host, Config: config, NetworkSettings: network } = inspect(assignment)
    expect(host).toMatchObject({
      CpuPeriod: 100_000,
      CpuQuota: 130_000,
      Memory: 96 * 2 ** 20,
      MemorySwap: 96 * 2 ** 20,
      PidsLimit: 4096,
      Ulimits: [{ Name: 'nofile', Soft: 2048, Hard: 4096 }],
      CapDrop: ['ALL'],
      CapAdd: [expect.stringContaining('NET_BIND_SERVICE')],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1000000', 'max-file': '2' } },
    })
    expect(config).toMatchObject({ Hostname: assignment.hostname, StopSignal: 'SIGTERM', WorkingDir: '/tmp' })
    expect(config.Labels).toMatchObject({
      team: 'harbour',
      'berth.instance': assignment.instance,
      'berth.app': 'shop',
      'berth.node': 'node-a',
      'berth.cluster': node.authority.fingerprint,
    })
    expect(network.Networks.berth.IPAddress).toBe(assignment.address)
    const seen = node.host.docker(
      'exec',
      assignment.instance,
      // The soft limit of what comes in by exec is now and then the hard one: runc up to 1.1.12 sets it while Go's runtime puts it back.
      ...shell('ulimit -Hn; cat /proc/sys/net/core/somaxconn; cat /etc/resolv.conf'),
    )
    expect(seen).toMatch(/^4096\n512\n(.*\n)*nameserver 169\.254\.77\.53/)
  })

  it('shares its node’s network where it is to, without rules or limits by the node’s address', async () => {
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 8080 }]
    const change = { network: 'host' as const, address: '127.0.0.1', ports, bandwidth: { outBitsPerSecond: 1_000_000 } }
    const assignment = node.assign(change)
    await node.server.ready(assignment.instance)
    const { HostConfig: host, Config: config, NetworkSettings: network } = inspect(assignment)
    expect(host).toMatchObject({ NetworkMode: 'host', CapDrop: ['ALL'], PortBindings: {} })
    expect(config.Hostname).toBe(assignment.hostname)
    expect(Object.keys(network.Networks)).toEqual(['host'])
    expect(node.host.run('wget', '-qO-', 'http://127.0.0.1:8080/')).toContain(assignment.hostname)
    expect(node.host.docker('exec', assignment.instance, 'cat', '/etc/resolv.conf')).toContain('169.254.77.53')
    expect(readFileSync(join(node.host.stateDir, 'netd', 'instances.json'), 'utf8')).not.toContain(assignment.instance)
    expect(node.host.run('nft', 'list', 'tables')).not.toContain('berth_bandwidth')
    await node.stopInstance(assignment)
  })

  it('is reached at ports of its node that are published and withdrawn while it runs', async () => {
    const assignment = node.assign({})
    const { containerId } = await node.server.ready(assignment.instance)
    const answer = (): string => node.host.run('sh', '-c', 'wget -qO- -T 2 -t 1 http://10.77.1.1:9000/ || true')
    expect(answer()).toBe('')
    node.server.change(assignment.instance, { published: [{ hostPort: 9000, port: 8080, protocol: 'tcp' }] })
    await waitUntil('an answer', () => answer().includes(assignment.hostname))
    node.host.docker('kill', assignment.instance)
    await node.server.status(assignment.instance, 'restarted', ({ restarts, ready }) => restarts > 0 && ready)
    await waitUntil('an answer after a restart', () => answer().includes(assignment.hostname))
    await node.killAgent()
    expect(answer()).toContain(assignment.hostname)
    await node.startAgent()
    await waitUntil('an answer by the next agent', () => answer().includes(assignment.hostname))
    node.server.change(assignment.instance, { published: [] })
    await waitUntil('no answer', () => answer() === '')
    expect((await node.server.ready(assignment.instance)).containerId).toBe(containerId)
    node.server.change(assignment.instance, { published: [{ hostPort: 9000, port: 8080, protocol: 'tcp' }] })
    await waitUntil('an answer again', () => answer().includes(assignment.hostname))
    await node.stopInstance(assignment)
    await waitUntil(
      'it goes with its instance',
      () => !node.host.run('nft', 'list', 'tables').includes('berth_publish'),
    )
  })

  it('is in a bridge of its node’s, where names are answered and the port of the node leads to it', async () => {
    const outer = '192.0.2.77'
    node.host.run('ip', 'address', 'replace', `${outer}/32`, 'dev', 'lo')
    for (const name of ['storage', 'vault']) node.host.docker('network', 'create', name)
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 18080 }]
    const guests = [
      node.assign({ network: 'bridge:vault', address: '127.0.0.1', ports }),
      node.assign({ network: 'bridge:storage', address: '127.0.0.1', ports: [{ ...ports[0]!, hostPort: 18081 }] }),
    ]
    const beside = node.assign()
    for (const each of [...guests, beside]) await node.server.ready(each.instance)
    const [vault, storage] = guests.map((each) => inspect(each).NetworkSettings.Networks)
    expect(Object.keys(vault)).toEqual(['vault'])
    expect(Object.keys(storage)).toEqual(['storage'])
    for (const guest of guests) {
      const there = guest.ports[0]?.hostPort
      // The node, an instance of it, and the way back: what Docker keeps apart from each other.
      const ask = (from: string) => node.host.docker('exec', from, 'wget', '-qO-', `http://${outer}:${there}/`)
      expect(node.host.get(`${outer}:${there}/`)).toContain(guest.hostname)
      await waitUntil('an answer to an instance', () => ask(beside.instance).includes(guest.hostname))
      expect(node.host.docker('exec', guest.instance, 'wget', '-qO-', `http://${beside.address}:8080/`)).toContain(
        beside.hostname,
      )
      expect(node.host.docker('exec', guest.instance, 'cat', '/etc/resolv.conf')).toContain('169.254.77.53')
    }
    expect(node.host.run('nft', 'list', 'table', 'inet', 'berth')).toMatch(
      /"br-[0-9a-f]{12}", "br-[0-9a-f]{12}" } drop/,
    )
    expect(readFileSync(join(node.host.stateDir, 'netd', 'instances.json'), 'utf8')).not.toContain(guests[0]?.instance)
    const lost = node.assign({ network: 'bridge:gone', address: '127.0.0.1' })
    expect((await status(lost, 'the reason', (each) => each.message !== undefined)).message).toContain(
      'this node has no Docker network gone; make it (docker network create gone)',
    )
    node.host.docker('network', 'create', 'gone')
    await node.server.ready(lost.instance)
    for (const each of [...guests, beside, lost]) {
      await node.stopInstance(each)
      node.server.forget(each.instance)
    }
    await waitUntil('no way in', () => !node.host.run('iptables', '-S', 'DOCKER-USER').includes('-i br-'))
    node.host.docker('network', 'rm', 'storage', 'vault', 'gone')
  })

  it('is in other networks of its node from its first instruction on, and comes and goes while it runs', async () => {
    for (const name of ['storage', 'vault'])
      node.host.docker('network', 'create', '--subnet', subnets[name] ?? '', name)
    const command = shell(`ip -o -4 address > /tmp/first; ip route > /tmp/routes; ${webCommand.at(-1)}`)
    const assignment = node.assign({ command, networks: [{ name: 'storage' }] })
    const { instance } = assignment
    await node.server.ready(instance)
    const run = (...argv: string[]) => node.host.docker('exec', instance, ...argv)
    const pid = node.host.pidOf(instance)
    expect(run('cat', '/tmp/first')).toMatch(/inet 192\.168\.71\./)
    expect(run('cat', '/tmp/routes')).toMatch(/^default via 10\.77\./m)
    const here = async (...networks: NonNullable<Assignment['networks']>) => {
      node.server.change(instance, { networks })
      const wanted = networks.map(({ name }) => name).join(' ')
      await status(
        assignment,
        `to be in ${wanted}`,
        (each) => (each.networks ?? []).map(({ name }) => name).join(' ') === wanted,
      )
      const found = inspect(assignment).NetworkSettings.Networks
      expect(Object.keys(found).sort()).toEqual(['berth', ...networks.map(({ name }) => name)].sort())
      expect(run('ip', 'route')).toMatch(/^default via 10\.77\./m)
      return found
    }
    const both = await here({ name: 'storage' }, { name: 'vault', address: '192.168.72.77' })
    expect(both.vault.IPAddress).toBe('192.168.72.77')
    node.host.docker('network', 'create', 'by-hand')
    node.host.docker('network', 'connect', 'by-hand', instance)
    node.host.docker('network', 'disconnect', 'by-hand', instance)
    await node.killAgent()
    await node.startAgent()
    expect(await here({ name: 'vault', address: '192.168.72.78' })).toMatchObject({
      vault: { IPAddress: '192.168.72.78' },
    })
    expect(node.host.pidOf(instance)).toBe(pid)
    node.host.docker('kill', instance)
    await status(assignment, 'another run', (each) => each.ready && each.restarts === 1)
    expect(inspect(assignment).NetworkSettings.Networks.vault.IPAddress).toBe('192.168.72.78')
    // Docker knows it by an id, which is another one from now on.
    await node.killAgent()
    node.host.docker('kill', instance)
    node.host.docker('network', 'rm', 'vault')
    node.host.docker('network', 'create', '--subnet', subnets.vault ?? '', 'vault')
    await node.startAgent()
    await status(assignment, 'a run in the new one', (each) => each.ready && each.restarts === 2)
    expect(inspect(assignment).NetworkSettings.Networks.vault.IPAddress).toBe('192.168.72.78')
    await here()
    for (const [address, reason] of [
      ['192.168.72.1', 'Address already in use'],
      ['10.9.9.9', "does not belong to any of this network's subnets"],
    ] as const) {
      node.server.change(instance, { networks: [{ name: 'vault', address }] })
      const told = await status(assignment, reason, (each) => each.message?.includes(reason) === true)
      expect(told.networks).toBeUndefined()
    }
    // Docker keeps in mind what it has refused, and would refuse the next start for it.
    node.server.change(instance, { networks: [{ name: 'storage' }] })
    await status(assignment, 'the other', (each) => each.networks?.[0]?.name === 'storage')
    node.host.docker('kill', instance)
    await status(assignment, 'a run without it', (each) => each.ready && each.restarts === 3)
    await here({ name: 'storage' })
    node.server.change(instance, { networks: [{ name: 'gone' }] })
    const refused = await status(assignment, 'the reason', (each) => each.message?.includes('gone') === true)
    expect(refused).toMatchObject({ ready: true, message: expect.stringContaining('docker network create gone') })
    await node.stopInstance(assignment)
    node.host.docker('network', 'rm', 'storage', 'vault', 'by-hand')
  })

  it('is in a macvlan that the server has told of, from its first instruction on, and others there reach it', async () => {
    node.host.run('ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan1')
    node.host.run('ip', 'address', 'add', '192.168.73.1/24', 'dev', 'lan1')
    for (const link of ['lan0', 'lan1']) node.host.run('ip', 'link', 'set', link, 'up')
    const parts = { subnet: '192.168.73.0/24', range: '192.168.73.64/26', slice: '192.168.73.64/28' }
    const tell = (parent?: string) => {
      const lans = parent === undefined ? [] : [{ name: 'lan', mode: 'macvlan' as const, parent, ...parts }]
      node.server.network = { ...node.server.network, lans }
      node.server.send({ type: 'network', revision: node.server.revision, network: node.server.network })
    }
    const command = shell(
      'ip -4 -o address > /tmp/first; mkdir /tmp/www; hostname > /tmp/www/index.html; httpd -f -p 8080 -h /tmp/www',
    )
    const assignment = node.assign({ networks: [{ name: 'lan' }], command })
    await status(assignment, 'waiting for it', ({ messageCode }) => messageCode === 'network-missing')
    tell('lan7')
    await waitUntil('the problem', () => node.server.node?.lanProblems?.lan?.includes('no interface lan7') === true)
    expect(node.server.node?.dockerNetworks).not.toContain('lan')
    tell('lan0')
    await waitUntil('the network', () => node.server.node?.dockerNetworks?.includes('lan') === true)
    expect(node.server.node?.lanProblems).toEqual({})
    await node.server.ready(assignment.instance)
    const seen = await status(assignment, 'its address there', (each) => each.networks?.[0]?.address !== undefined)
    const [{ address = '' } = {}] = seen.networks ?? []
    expect(address).toMatch(/^192\.168\.73\.(6[4-9]|7\d)$/)
    const first = node.host.docker('exec', assignment.instance, 'cat', '/tmp/first')
    for (const each of [address, assignment.address]) expect(first).toContain(`inet ${each}/`)
    for (const each of [address, assignment.address])
      await waitUntil(`an answer at ${each}`, () => node.host.get(`${each}:8080`)?.includes(assignment.hostname))
    tell()
    await waitUntil('it to be in use', () => node.server.node?.lanProblems?.lan?.includes(assignment.instance) === true)
    expect(node.host.get(`${address}:8080`)).toContain(assignment.hostname)
    await node.stopInstance(assignment)
    await waitUntil('it to go', () => !node.host.docker('network', 'ls').includes(' lan '), 60_000)
    node.host.run('ip', 'link', 'del', 'lan0')
  })

  it('gets its secrets as files in memory, and nowhere in clear', async () => {
    const value = 'correct-horse-battery'
    const assignment = node.assign({ secrets: [{ file: 'db;rm -rf $HOME', value }], user: 'app' })
    await node.server.ready(assignment.instance)
    const listing = node.host.docker(
      'exec',
      assignment.instance,
      ...shell('cat "/run/secrets/db;rm -rf \\$HOME"; ls -ln /run/secrets'),
    )
    expect(listing).toContain(value)
    expect(listing).toMatch(/-r-{8} +1 1234 +2345/)
    expect(node.host.run('stat', '-f', '-c', '%T', join(node.host.runDir, 'secrets')).trim()).toBe('tmpfs')
    expect(node.host.docker('inspect', assignment.instance)).not.toContain(value)
    expect(node.log).not.toContain(value)
    const found = node.host.run(
      'sh',
      '-c',
      `grep -rl ${value} ${node.host.stateDir} ${join(node.host.dir, 'data')} || true`,
    )
    expect(found).toBe('')
  })

  it('gets files at paths with shell characters, and an environment that no shell reads', async () => {
    const path = '/etc/a b;$(touch owned)/`x`\'".conf'
    const env = { GREETING: '$(touch /tmp/owned); `id` "quoted" \'single\'\nsecond line' }
    const assignment = node.assign({ config: [{ path, content: 'depth=3\n', mode: 0o444 }], env })
    await node.server.ready(assignment.instance)
    const read = (file: string) => node.host.docker('exec', assignment.instance, 'cat', file)
    expect(read(path)).toBe('depth=3')
    expect(read('/proc/1/environ')).toContain(env.GREETING)
    expect(node.host.docker('exec', assignment.instance, 'ls', '/tmp')).not.toContain('owned')
  })

  it('mounts volumes, and keeps /persist for a while', async () => {
    const source = join(node.host.dir, 'host volume; $x')
    mkdirSync(source)
    const assignment = node.assign({
      volumes: [
        { type: 'host', source, path: '/host', readOnly: false },
        { type: 'named', name: 'data', path: '/data', readOnly: false },
        { type: 'tmpfs', path: '/scratch', sizeBytes: 2 ** 20 },
      ],
    })
    await node.server.ready(assignment.instance)
    node.host.docker(
      'exec',
      assignment.instance,
      ...shell('touch /host/here /data/here /scratch/here /persist/logs/here'),
    )
    expect(existsSync(join(source, 'here'))).toBe(true)
    expect(node.host.docker('volume', 'ls', '-q')).toBe('shop.production.data')
    // Looked for from now on: where the word of its end comes late, its time is nearly over.
    const found = waitUntil('what it left', () => {
      const kept = node.endedOf(assignment)
      return kept !== undefined && existsSync(join(kept, 'logs/here')) && kept
    })
    await node.stopInstance(assignment)
    expect(existsSync(node.persistOf(assignment))).toBe(false)
    const kept = await found
    const directory = join(node.host.stateDir, 'persist/.ended')
    expect(node.server.node?.endedFiles).toEqual({ directory, keepMs: 3_000 })
    await waitUntil('its time to be over', () => !existsSync(kept))
  })

  it('is not made from an assignment that would leave its place', async () => {
    const assignment = node.assign({ secrets: [{ file: '../../escape', value: 'x' }] })
    const refused = await status(assignment, 'refused', (each) => each.messageCode === 'invalid-assignment')
    expect(refused.message).toContain('plain file name')
    expect(node.containers()).not.toContain(assignment.instance)
  })

  it('gets another grant while it runs', async () => {
    const assignment = node.assign()
    const { pid } = await node.server.ready(assignment.instance)
    node.server.change(assignment.instance, { cpuMilli: 250, memoryBytes: 128 * 2 ** 20 })
    await waitUntil('the grant', () => inspect(assignment).HostConfig.CpuQuota === 25_000)
    expect(inspect(assignment).HostConfig).toMatchObject({ Memory: 128 * 2 ** 20, MemorySwap: 128 * 2 ** 20 })
    expect(node.host.pidOf(assignment.instance)).toBe(pid)
  })
})

describe('what goes wrong', () => {
  it('out of memory is visible', async () => {
    const assignment = node.assign({
      memoryBytes: 16 * 2 ** 20,
      command: shell('echo eating; exec tail /dev/zero'),
      ports: [],
    })
    const killed = await status(assignment, 'killed', (each) => each.messageCode === 'out-of-memory')
    expect(killed).toMatchObject({ ready: false, lastExit: { code: 137, signal: 'SIGKILL', outOfMemory: true } })
    expect(killed.message).toContain('out of memory (limit 16 MiB)')
    await node.stopInstance(assignment)
  })

  it('more of the disk than was granted is visible, and the policy decides', async () => {
    const fill = shell(
      'echo filling; dd if=/dev/zero of=/tmp/file bs=1M count=20 2>/dev/null; trap "exit 0" TERM; sleep 1000 & wait',
    )
    const [service, job] = [
      node.assign({ command: fill, ports: [], diskBytes: 16 * 2 ** 20 }),
      node.assign({ command: fill, ports: [], diskBytes: 16 * 2 ** 20, type: 'job', restart: 'never' }),
    ]
    const within = node.assign({ command: fill, ports: [], diskBytes: 64 * 2 ** 20 })
    const over = (each: InstanceStatus): boolean => each.messageCode === 'disk-exceeded' && each.lastExit !== undefined
    expect(await status(service, 'over its grant', over)).toMatchObject({
      message: expect.stringMatching(/used (1[7-9]|2\d) MiB of disk, granted 16 MiB; raise disk in berth.yaml/),
      lastExit: { code: 143, outOfMemory: false },
      logTail: ['filling'],
    })
    await status(service, 'started again', (each) => each.restarts > 0)
    // It ended itself in good order when it was told to, which is no success.
    const ended = await status(job, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ messageCode: 'disk-exceeded', lastExit: { code: 143 }, restarts: 0 })
    expect(node.server.statuses.get(within.instance)).toMatchObject({ ready: true, restarts: 0 })
    for (const each of [service, job, within]) await node.stopInstance(each)
  })

  it('an image that exits at once says its code and last lines, and is tried again more and more slowly', async () => {
    const assignment = node.assign({ command: shell('echo first; echo no port given >&2; exit 3') })
    const crashed = await status(
      assignment,
      'crashed twice',
      (each) => each.restarts >= 1 && each.messageCode === 'exited',
    )
    expect(crashed).toMatchObject({
      lastExit: { code: 3, outOfMemory: false },
      logTail: expect.arrayContaining(['first', 'no port given']),
    })
    expect(crashed.message).toMatch(/exited with code 3 after \d+\.\d s/)
    const { containerId } = crashed
    await status(assignment, 'crashed again', (each) => each.restarts >= 2)
    expect(inspect(assignment).Id).toBe(containerId)
    await node.stopInstance(assignment)
  })

  it.each([
    ['a command that is not there', { command: ['/no/such/program'] }, 'command-not-found', '/no/such/program'],
    ['a host path that is not there', hostVolume('/no/such/folder'), 'mount-missing', '/no/such/folder'],
  ])('%s', async (_, change, messageCode, text) => {
    const assignment = node.assign(change)
    const failed = await status(assignment, 'failed', (each) => each.messageCode === messageCode)
    expect(failed.message).toContain(text)
    const ended = await node.stopInstance(assignment)
    expect(ended.phase).toBe('ended')
    expect(node.containers()).not.toContain(assignment.instance)
  })

  it('a port that is taken, until it is free', async () => {
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 18_080 }]
    const first = node.assign({ ports })
    await node.server.ready(first.instance)
    const second = node.assign({ ports })
    const refused = await status(second, 'refused', (each) => each.messageCode === 'port-taken')
    expect(refused.message).toContain('18080')
    await node.stopInstance(first)
    await node.server.ready(second.instance)
    expect(node.host.get('127.0.0.1:18080')).toBe(`${second.hostname}\n`)
    await node.stopInstance(second)
  })

  it('an address that is taken', async () => {
    const first = node.assign()
    await node.server.ready(first.instance)
    const second = node.assign({ address: first.address })
    await status(second, 'refused', (each) => each.messageCode === 'address-taken')
    await node.stopInstance(first)
    await node.server.ready(second.instance)
    await node.stopInstance(second)
  })

  it('a name that a stranger’s container has', async () => {
    const instance = 'shop.production.stranger-1'
    const id = node.host.docker('create', '--name', instance, 'berth-test/busybox:1', 'true')
    const assignment = node.assign({ instance })
    await status(assignment, 'refused', (each) => each.messageCode === 'name-taken')
    await node.stopInstance(assignment)
    expect(inspect(assignment).Id).toBe(id)
    node.host.docker('rm', instance)
  })

  it('an image that is not here is asked for, and used when it comes', async () => {
    const id = node.host.importImage('late:1', ['ENV LATE=yes'])
    const archive = join(node.host.dir, 'late.tar')
    node.host.docker('save', '-o', archive, 'late:1')
    node.host.docker('rmi', 'late:1')
    const assignment = node.assign({ image: id })
    await status(assignment, 'waiting', (each) => each.messageCode === 'image-missing')
    await waitUntil('the question', () =>
      node.server.received.some((line) => line.type === 'image-missing' && line.image === id),
    )
    const upload = node.server.open('PUT', '/v1/images', false)
    upload.end(readFileSync(archive))
    await node.server.ready(assignment.instance)
    await node.stopInstance(assignment)
  })

  it('a reference that nobody serves', async () => {
    const assignment = node.assign({ image: 'registry.invalid/shop/web:v1' })
    const failed = await status(assignment, 'failed', (each) => each.messageCode === 'image-unavailable')
    expect(failed.message).toContain('registry.invalid/shop/web:v1')
    const told = node.server.history.filter((each) => each.id === assignment.instance).map((each) => each.messageCode)
    expect(told).toContain('image-pulling')
    await node.stopInstance(assignment)
  })

  it('a container that somebody removes is made again, with its address', async () => {
    const assignment = node.assign()
    const before = await node.server.ready(assignment.instance)
    node.host.docker('rm', '-f', assignment.instance)
    const after = await status(assignment, 'back', (each) => each.ready && each.containerId !== before.containerId)
    expect(after).toMatchObject({ address: before.address, restarts: 1 })
  })
})

function hostVolume(source: string): Partial<Assignment> {
  return { volumes: [{ type: 'host', source, path: '/host', readOnly: true }] }
}
