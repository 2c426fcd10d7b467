import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createNetdFiles, type NetdFiles } from '@berth/agent/dns/netd-files'
import { resolvConfFor } from '@berth/agent/dns/resolv-conf'
import type { NameEntry, NetworkConfig } from '@berth/core'
import { createLab, type Lab, type LabHost, NODE_IMAGE, type SpawnedProcess } from '@berth/lab'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NetworkProcess } from './network-client.ts'

let lab: Lab
let host: LabHost
let files: NetdFiles
let netd: SpawnedProcess
let block: string
let network: NetworkProcess

const addressIn = (last: number): string => block.replace('.0/24', `.${last}`)
const entry = (app: string, pool: string, n: number, last: number): NameEntry => ({
  app,
  pool,
  entrypoint: 'web',
  instance: `${app}.${pool}.web-${n}`,
  address: addressIn(last),
  ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
})

async function run(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.exec(argv)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${code}: ${stderr}`)
  return stdout.trim()
}

/** Asks as a program does, through the libc of a container; its pool is told by its address. */
async function lookUp(name: string, container: 'production' | 'staging' = 'production'): Promise<string> {
  const script = `require('node:dns').lookup('${name}', { all: true, family: 4 }, (error, found) =>
    console.log(error ? error.code : found.map((each) => each.address).sort().join()))`
  return (await enter(container, 'node', '-e', script)).stdout.trim()
}

/** Runs in a container's namespaces, with no help of dockerd. */
const enter = (container: string, ...argv: string[]) =>
  host.exec(['nsenter', `--target=${pids.get(container)}`, '--net', '--mount', '--root', '--', ...argv])
const pids = new Map<string, string>()

async function startContainer(name: string, last: number): Promise<void> {
  const mount = ['--volume', '/var/lib/berth/resolv.conf:/etc/resolv.conf:ro']
  const network = ['--network', 'berth', '--ip', addressIn(last)]
  await run('docker', 'run', '--detach', '--name', name, ...network, ...mount, NODE_IMAGE, 'sleep', '3600')
  pids.set(name, await run('docker', 'inspect', '--format', '{{.State.Pid}}', name))
}

const startNetd = () =>
  host.spawn([process.execPath, join(import.meta.dirname, 'netd-process.ts'), '/var/lib/berth'], {
    logFile: join(host.dir, 'log', 'netd.log'),
  })

async function eventually(read: () => Promise<string>, wanted: string): Promise<void> {
  const end = Date.now() + 20_000
  while (Date.now() < end && (await read()) !== wanted) await delay(20)
  expect(await read()).toBe(wanted)
}

/** The libc gives up after three seconds, which is little for twenty programs that start at once on a busy machine. */
async function lookUpPatiently(): Promise<string> {
  const first = await lookUp('shop.berth')
  return first === 'EAI_AGAIN' ? await lookUp('shop.berth') : first
}

beforeAll(async () => {
  lab = await createLab({ hosts: [{ startDockerd: false, baseImages: true }] })
  host = lab.host('h1')
  block = lab.containerPool.replace('.0.0/16', '.1.0/24')
  const config: NetworkConfig = {
    pool: lab.containerPool,
    block,
    peers: [],
    domain: 'berth',
    defaultPool: 'production',
  }
  files = createNetdFiles(join(host.dir, 'berth'))
  await files.writeNetwork(config)
  await files.writeNames({
    version: 1,
    entries: [entry('shop', 'production', 1, 10), entry('shop', 'production', 2, 11), entry('shop', 'staging', 1, 20)],
  })
  await files.writeInstances([
    { instance: 'cart.production.web-1', app: 'cart', pool: 'production', address: addressIn(50) },
    { instance: 'cart.staging.web-1', app: 'cart', pool: 'staging', address: addressIn(60) },
  ])
  // Before dockerd, as on every node.
  netd = await startNetd()
  await eventually(
    async () => (await host.exec(['busybox', 'nslookup', 'shop.berth', '169.254.77.53'])).code.toString(),
    '0',
  )
  await host.startDockerd()
  await run('sh', '-c', `printf '${resolvConfFor(config).replaceAll('\n', '\\n')}' > /var/lib/berth/resolv.conf`)
  network = new NetworkProcess(host)
  expect(await network.call({ ensure: config })).toEqual({ value: [] })
  await startContainer('production', 50)
  await startContainer('staging', 60)
})

afterAll(async () => {
  await network?.end()
  netd?.kill('SIGKILL')
  await lab?.[Symbol.asyncDispose]()
})

describe('names in containers', () => {
  it('are answered for the pool of the container that asks', async () => {
    expect(await lookUp('web.shop.berth')).toBe(`${addressIn(10)},${addressIn(11)}`)
    expect(await lookUp('web.shop.berth', 'staging')).toBe(addressIn(20))
    expect(await lookUp('web.production.shop.berth', 'staging')).toBe(`${addressIn(10)},${addressIn(11)}`)
    expect(await lookUp('nobody.berth')).toBe('ENOTFOUND')
  })

  it('follow a change within a tenth of a second', async () => {
    // Of several one at least: the machine may be busy with others.
    for (const [version, last] of [11, 12, 11, 12, 11, 12, 11, 12].entries()) {
      await files.writeNames({ version: version + 2, entries: [entry('shop', 'production', 3, last)] })
      await delay(100)
      const seen = await lookUp('shop.berth')
      if (last === 12 && seen === addressIn(12)) return
    }
    expect.unreachable('no change was there after a tenth of a second')
  })

  it('are answered while dockerd is dead', async () => {
    await host.killDockerd('SIGKILL')
    expect(await lookUp('shop.berth')).toBe(addressIn(12))
    await host.startDockerd()
  })

  it('are answered again after netd was killed, and during its change of guard', async () => {
    netd.kill('SIGKILL')
    await netd.exited
    const asking = Array.from({ length: 5 }, lookUpPatiently)
    netd = await startNetd()
    expect(new Set(await Promise.all(asking))).toEqual(new Set([addressIn(12)]))
    const successor = await startNetd()
    const answers = Array.from({ length: 20 }, lookUpPatiently)
    netd.kill('SIGTERM')
    await netd.exited
    netd = successor
    expect(new Set(await Promise.all(answers))).toEqual(new Set([addressIn(12)]))
  })

  it('come back when somebody takes the address away', async () => {
    await run('ip', 'address', 'delete', '169.254.77.53/32', 'dev', 'lo')
    await eventually(() => lookUp('shop.berth'), addressIn(12))
  })

  it("of others are asked of the host's resolver", async () => {
    const answer = `require('node:dgram').createSocket('udp4').on('message', function (m, from) {
      const question = m.subarray(0, m.indexOf(0, 12) + 5)
      const answer = Buffer.concat([question, Buffer.from('c00c00010001000000050004c0000207', 'hex')])
      answer.writeUInt16BE(0x8180, 2); answer.writeUInt16BE(1, 6); answer.writeUInt16BE(0, 10)
      this.send(answer, from.port, from.address)
    }).bind(53, '127.0.0.77')`
    const resolver = await host.spawn([process.execPath, '-e', answer])
    await run('sh', '-c', 'echo nameserver 127.0.0.77 > /etc/resolv.conf')
    await eventually(() => lookUp('www.example.com'), '192.0.2.7')
    resolver.kill('SIGKILL')
  })
})
