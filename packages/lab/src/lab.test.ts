import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { namesOf } from './addresses.ts'
import { BASE_IMAGE, makeBaseImages, NODE_IMAGE } from './base-image.ts'
import { CgroupTree } from './cgroup-tree.ts'
import { runCommand } from './command.ts'
import { createLab } from './create-lab.ts'
import { ImageStock } from './image-stock.ts'
import type { Lab, LabHost } from './lab.ts'
import { readManifest, registryEntry } from './manifest.ts'
import { commandName, identify, isAlive } from './process-table.ts'
import { cleanLabs } from './teardown.ts'
import { waitFor } from './wait-for.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }

/** What must not outlive a lab, each by the kernel's own account. */
const leftovers = (index: number, dir: string, netns: readonly string[]) => {
  const { cgroup, link } = namesOf(index)
  const tree = new CgroupTree(cgroup)
  const inUse = new Set(readdirSync('/proc').flatMap((pid) => netnsInode(pid) ?? []))
  return {
    processes: tree.members(),
    cgroups: tree.hierarchies.filter(({ mountPoint }) => existsSync(join(mountPoint, cgroup))),
    interfaces: readdirSync('/sys/class/net').filter((name) => name === link),
    routes: readFileSync('/proc/net/route', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${link}\t`)),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(dir)),
    namespaces: netns.filter((inode) => inUse.has(inode)),
    directories: [dir, registryEntry(index)].filter((path) => existsSync(path)),
  }
}
const NOTHING = { processes: [], cgroups: [], interfaces: [], routes: [], mounts: [], namespaces: [], directories: [] }

const netnsInode = (pid: string): string | undefined => {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}

const docker = async (host: LabHost, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await host.exec(['docker', ...args])
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

const startSleeper = (host: LabHost): Promise<string> =>
  docker(host, 'run', '--detach', '--name', 'sleeper', BASE_IMAGE, 'sleep', '3600')

const containerPid = async (host: LabHost): Promise<number> =>
  Number(await docker(host, 'inspect', '--format', '{{.State.Pid}}', 'sleeper'))

/** What a Node.js program in the host printed. */
const nodeInside = async (host: LabHost, code: string): Promise<string> =>
  (await host.exec([process.execPath, '--input-type=module', '--eval', code])).stdout.trim()

const fetchInside = (host: LabHost, url: string): Promise<string> =>
  nodeInside(
    host,
    `await fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(2000) })
       .then((reply) => reply.text(), (error) => error.cause?.code ?? error.name)
       .then((text) => { console.log(text); process.exit() })`,
  )

/** To load or to copy them is work for a disk, which others of a busy machine use too. */
const imagesMs = 120_000

describe('two hosts', () => {
  let lab: Lab
  let h1: LabHost
  let h2: LabHost

  beforeAll(async () => {
    lab = await createLab({ hosts: 2 })
    h1 = lab.host('h1')
    h2 = lab.host('h2')
    await Promise.all(lab.hosts.map((host) => makeBaseImages(host.dockerHost)))
  })
  afterAll(() => lab[Symbol.asyncDispose]())

  test('a command inside a host sees that host, and its end is told as it was', async () => {
    const result = await h1.exec(['sh', '-c', 'hostname; pwd; echo "$WORD"; cat; echo oops >&2; exit 3'], {
      env: { WORD: 'a "b" $c' },
      cwd: '/tmp',
      input: 'from outside',
    })
    expect(result).toEqual({ code: 3, stdout: 'h1\n/tmp\na "b" $c\nfrom outside', stderr: 'oops\n' })
    expect(await h1.exec(['sh', '-c', 'kill -9 $$'])).toMatchObject({ code: 137 })
  })

  test('an aborted command is killed with everything it started', async () => {
    const abort = new AbortController()
    const running = h1.exec(['sh', '-c', 'sleep 4321 & sleep 4321'], { signal: abort.signal })
    const sleepers = async () =>
      (await h1.exec(['pgrep', '-xf', 'sleep 4321'])).stdout.trim().split('\n').filter(Boolean)
    await waitFor(async () => (await sleepers()).length === 2, { what: 'the command to run', deadlineMs: 30_000 })
    abort.abort()
    await expect(running).rejects.toThrow('aborted')
    await waitFor(async () => (await sleepers()).length === 0, { what: 'the command to be gone', deadlineMs: 30_000 })
    expect(await sleepers()).toEqual([])
  })

  test('hosts have processes, files and a Docker of their own', async () => {
    await h1.exec(['sh', '-c', 'echo one >/etc/berth-test; mkdir -p /var/lib/berth/x /run/berth'])
    expect((await h2.exec(['ls', '/etc/berth-test', '/var/lib/berth/x', '/run/berth'])).code).not.toBe(0)
    expect(existsSync('/etc/berth-test')).toBe(false)
    expect(Number((await h1.exec(['sh', '-c', 'ls -d /proc/[0-9]* | wc -l'])).stdout)).toBeLessThan(15)
    await docker(h1, 'volume', 'create', 'only-here')
    expect(await docker(h2, 'volume', 'ls', '--quiet')).toBe('')
  })

  test('hosts and this machine reach each other, and nothing else', async () => {
    const server = createServer((_request, response) => response.end('hello'))
    await new Promise<void>((listening) => server.listen(0, lab.serverAddress, listening))
    const { port } = server.address() as AddressInfo
    expect(await fetchInside(h1, `http://${lab.serverAddress}:${port}/`)).toBe('hello')
    // A documentation address (RFC 5737): the lab's router itself says that there is no way to it.
    expect(await fetchInside(h1, 'http://198.51.100.7/')).toMatch(/EHOSTUNREACH|ENETUNREACH/)
    server.close()
    const inside = await h2.spawn([
      process.execPath,
      '--eval',
      `require('node:http').createServer((request, response) => response.end('from h2')).listen(8080)`,
    ])
    await waitFor(async () => (await fetchInside(h1, `http://${h2.address}:8080/`)) === 'from h2', {
      what: 'h1 to reach h2',
      deadlineMs: 10_000,
    })
    expect(await (await fetch(`http://${h2.address}:8080/`)).text()).toBe('from h2')
    expect(inside.kill('SIGTERM')).toBe(true)
    expect(await inside.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(inside.kill('SIGTERM')).toBe(false)
  })

  test('a cut link is cut, and a mended one works', async () => {
    const web = await h2.spawn([
      process.execPath,
      '--eval',
      `require('node:http').createServer((q, r) => r.end('up')).listen(8081)`,
    ])
    const url = `http://${h2.address}:8081/`
    const isUp = async () => (await fetchInside(h1, url)) === 'up'
    await waitFor(isUp, { what: 'h2 to answer', deadlineMs: 10_000 })
    await h2.setLink('down')
    expect(await fetchInside(h1, url)).not.toBe('up')
    await h2.setLink('up')
    await waitFor(isUp, { what: 'h2 to answer again', deadlineMs: 20_000 })
    expect(await isUp()).toBe(true)
    web.kill('SIGKILL')
  })

  test('containers run, and go on when dockerd is killed', async () => {
    await Promise.all([startSleeper(h1), startSleeper(h2)])
    const before = await containerPid(h1)
    const outer = identify((await h1.outerPid(before))!)!
    expect(commandName(outer.pid)).toBe('sleep')

    await h1.killDockerd('SIGKILL')
    expect((await h1.exec(['docker', 'ps'])).code).not.toBe(0)
    expect(isAlive(outer)).toBe(true)
    await h1.startDockerd()
    expect(await containerPid(h1)).toBe(before)
    expect(isAlive(outer)).toBe(true)

    await h1.killDockerd('SIGTERM')
    await h1.startDockerd()
    await h1.startDockerd()
    expect(await containerPid(h1)).toBe(before)
  })

  test('the Node image runs Node', async () => {
    expect(await docker(h1, 'run', '--rm', NODE_IMAGE, 'node', '--version')).toBe(process.version)
    expect(await docker(h1, 'run', '--rm', '--user', 'node', NODE_IMAGE, 'id', '-un')).toBe('node')
  })

  test(
    'images that are there already are not loaded again',
    async () => {
      expect((await makeBaseImages(h1.dockerHost)).map(({ tag, loaded }) => ({ tag, loaded }))).toEqual([
        { tag: BASE_IMAGE, loaded: false },
        { tag: NODE_IMAGE, loaded: false },
      ])
      await docker(h1, 'tag', BASE_IMAGE, NODE_IMAGE)
      expect((await makeBaseImages(h1.dockerHost)).map(({ loaded }) => loaded)).toEqual([false, true])
    },
    imagesMs,
  )

  test('this machine reaches containers through the route asked for', async () => {
    const subnet = lab.containerPool.replace('.0.0/16', '.1.0/24')
    await docker(h1, 'network', 'create', '--subnet', subnet, 'apps')
    await h1.exec(['iptables', '--policy', 'FORWARD', 'ACCEPT'])
    const address = subnet.replace('.0/24', '.9')
    const server = `require('node:http').createServer((q, r) => r.end('in a container')).listen(80)`
    await docker(h1, 'run', '--detach', '--network', 'apps', '--ip', address, NODE_IMAGE, 'node', '--eval', server)
    await lab.routeContainers(h1, subnet)
    const text = await waitFor(
      () =>
        fetch(`http://${address}/`, { signal: AbortSignal.timeout(2000) }).then(
          (reply) => reply.text(),
          () => undefined,
        ),
      { what: 'the container to answer', deadlineMs: 10_000 },
    )
    expect(text).toBe('in a container')
    await expect(lab.routeContainers(h2, subnet)).rejects.toThrow(lab.containerPool)
  })

  test('a reboot ends every process, empties /run and keeps the disk', async () => {
    const agent = await h2.spawn(['sleep', '3600'])
    const container = identify((await h2.outerPid(await containerPid(h2)))!)!
    const bootId = async () => (await h2.exec(['cat', '/proc/sys/kernel/random/boot_id'])).stdout
    const before = { bootId: await bootId(), netns: readlinkSync(h2.netnsPath) }
    // As long as it is open, no other namespace gets its number.
    const held = openSync(h2.netnsPath, 'r')
    await h2.exec([
      'sh',
      '-c',
      'mkdir -p /run/berth && echo gone >/run/berth/x && echo kept >/etc/kept && echo kept >/var/lib/berth/kept',
    ])

    await h2.reboot()

    expect(await agent.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect(isAlive(container)).toBe(false)
    expect(await bootId()).not.toBe(before.bootId)
    expect(readlinkSync(h2.netnsPath)).not.toBe(before.netns)
    closeSync(held)
    expect((await h2.exec(['cat', '/etc/kept', '/var/lib/berth/kept'])).stdout).toBe('kept\nkept\n')
    expect(existsSync(join(h2.dir, 'run', 'berth'))).toBe(false)
    expect(await docker(h2, 'inspect', '--format', '{{.State.Status}}', 'sleeper')).toBe('exited')
    await docker(h2, 'start', 'sleeper')
    expect(await fetchInside(h1, `http://${h2.address}:59999/`)).toBe('ECONNREFUSED')
  })

  test('a host that is off says so, and boots again', async () => {
    await h2.powerOff()
    await expect(h2.exec(['true'])).rejects.toThrow('host h2 of lab')
    await h2.boot({ startDockerd: false })
    expect((await h2.exec(['docker', 'ps'])).code).not.toBe(0)
    await h2.startDockerd()
    expect((await h2.exec(['docker', 'ps'])).code).toBe(0)
  })

  test('orphans are reaped by the first process of the host', async () => {
    await h1.exec(['sh', '-c', '(sleep 0.1 &) ; exit 0'])
    const zombies = async () =>
      (await h1.exec(['ps', '-eo', 'stat='])).stdout.split('\n').filter((stat) => stat.startsWith('Z'))
    const orphans = async () => (await h1.exec(['pgrep', '-xf', 'sleep 0.1'])).stdout
    await waitFor(async () => (await orphans()) === '' && (await zombies()).length === 0, {
      what: 'the orphan to be reaped',
      deadlineMs: 30_000,
    })
    expect(await zombies()).toEqual([])
  })

  test('a host may be added, under a free name only', async () => {
    const added = await lab.addHost({ name: 'late', startDockerd: false })
    expect(added.address).toBe(h2.address.replace(/\.12$/, '.13'))
    expect((await added.exec(['hostname'])).stdout).toBe('late\n')
    await expect(lab.addHost({ name: 'late' })).rejects.toThrow('the name is taken')
    await expect(lab.addHost({ name: 'a b' })).rejects.toThrow('host name')
    expect(() => lab.host('nobody')).toThrow('there are h1, h2, late')
  })

  test(
    'what one host has loaded is there for others, which change nothing of it',
    async () => {
      const at = await mkdtemp(join(tmpdir(), 'berth-stock-'))
      const stock = new ImageStock({ dockerdPath: null, usrLayer: null, dir: join(at, 'stock') })
      expect(await stock.layInto(at)).toBe(false)
      await stock.keep(join(h1.dir, 'docker'))
      expect(await stock.layInto(at)).toBe(true)
      expect(readFileSync(join(at, 'image/overlay2/repositories.json'), 'utf8')).toContain(NODE_IMAGE)
      await rm(at, { recursive: true })

      const h3 = await lab.addHost({ name: 'stocked', baseImages: true })
      expect((await makeBaseImages(h3.dockerHost)).map(({ loaded }) => loaded)).toEqual([false, false])
      const spoil = 'echo x >>/etc/passwd; chmod 600 /usr/local/bin/node; rm /etc/group'
      await docker(h3, 'run', '--name', 'spoilt', NODE_IMAGE, 'sh', '-c', spoil)
      expect(
        await docker(
          h3,
          'run',
          '--rm',
          NODE_IMAGE,
          'sh',
          '-c',
          'node --version; grep -c x: /etc/passwd; ls /etc/group',
        ),
      ).toBe(`${process.version}\n3\n/etc/group`)
    },
    imagesMs,
  )

  test('nothing is left of it', async () => {
    const netns = lab.hosts.map((host) => readlinkSync(host.netnsPath))
    const { index, dir } = lab
    expect(leftovers(index, dir, netns)).not.toEqual(NOTHING)
    await lab[Symbol.asyncDispose]()
    await waitFor(() => !existsSync(`/sys/class/net/${namesOf(index).link}`), {
      what: 'the interface to go',
      deadlineMs: 30_000,
    })
    expect(leftovers(index, dir, netns)).toEqual(NOTHING)
    // Twice is as good as once.
    await lab[Symbol.asyncDispose]()
  })
})

describe('a lab that did not end well', () => {
  /** Another process that makes a lab, prints its index, and then waits to be killed. */
  const startOwner = (): ChildProcess =>
    spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { createLab } from ${JSON.stringify(join(import.meta.dirname, 'create-lab.ts'))}
         const lab = await createLab({ hosts: 1 })
         console.log(lab.index)
         setInterval(() => {}, 1000)`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )

  test('is removed once its owner is dead, and not before', async () => {
    const owner = startOwner()
    const [line] = (await once(owner.stdout!, 'data')) as [Buffer]
    const index = Number(line)
    const { createdAt, hosts } = readManifest(index)!
    const init = hosts[0]!.init!
    const netns = [readlinkSync(`/proc/${init.pid}/ns/net`)]
    expect(await cleanLabs(silent)).not.toContain(index)
    expect(isAlive(init)).toBe(true)

    owner.kill('SIGKILL')
    await once(owner, 'exit')
    expect(isAlive(init)).toBe(true)
    await using _next = await createLab({ hosts: 0 })
    // Removed by createLab, or by another process that was quicker.
    await waitFor(() => readManifest(index)?.createdAt !== createdAt, {
      what: 'the dead lab to go',
      deadlineMs: 20_000,
    })
    expect(isAlive(init)).toBe(false)
    expect(netns.filter((inode) => readdirSync('/proc').some((pid) => netnsInode(pid) === inode))).toEqual([])
  })

  test('is removed when a part of it fails to start, and says what failed', async () => {
    const seen: string[] = []
    const log = { ...silent, info: (_fields: object, message: string) => void seen.push(message) }
    const making = createLab({ hosts: [{}, { name: 'bad', daemonConfig: { 'no-such-option': true } }], log })
    await expect(making).rejects.toThrow(/start dockerd on host bad: it ended.*no-such-option/s)
    expect(seen.at(-1)).toBe('lab removed')
  })

  test('leaves nothing when it is aborted while it starts', async () => {
    const seen: string[] = []
    const log = { ...silent, info: (_fields: object, message: string) => void seen.push(message) }
    const abort = new AbortController()
    const making = createLab({ hosts: 1, log, signal: abort.signal })
    await waitFor(() => runCommand(['true']), { what: 'a moment', deadlineMs: 1000 })
    abort.abort()
    await expect(making).rejects.toThrow('aborted')
    expect(seen.at(-1)).toBe('lab removed')
  })
})

test('labs beside each other share nothing', async () => {
  await using a = await createLab({ hosts: [{ startDockerd: false }] })
  await using b = await createLab({ hosts: [{ startDockerd: false }] })
  expect(b.index).not.toBe(a.index)
  expect(b.hosts[0]!.address).not.toBe(a.hosts[0]!.address)
  expect(await fetchInside(a.hosts[0]!, `http://${b.hosts[0]!.address}:59999/`)).toMatch(/EHOSTUNREACH|ENETUNREACH/)
})

test('a directory whose socket path would be too long is refused', async () => {
  const dir = join(await mkdtemp(join(tmpdir(), 'berth-lab-')), 'x'.repeat(100))
  await expect(createLab({ hosts: 1, dir })).rejects.toThrow('give the lab a shorter dir')
  expect(await readdir(dir)).toEqual([])
  await rm(dirname(dir), { recursive: true })
})
