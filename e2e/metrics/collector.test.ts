import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createCollector, type KernelCollector } from '@berth/agent/metrics/collector'
import { createLab, type Lab, type LabHost, NODE_IMAGE } from '@berth/lab'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const mib = 1024 ** 2
const limits = { cpuLimitMilli: 500, memoryLimitBytes: 512 * mib }

/** What a container is told to do: a line each on its standard input. */
const worker = `
  const held = []
  const commands = {
    burn: () => { for (;;) if (Math.random() > 2) break },
    hold: (megabytes) => held.push(Buffer.alloc(megabytes * 2 ** 20, 1)),
    connect: (count, port, host) => { for (let i = 0; i < count; i++) held.push(require('node:net').connect(port, host).resume()) },
    write: (megabytes) => require('node:child_process').execFileSync('dd', ['if=/dev/zero', 'of=/data/file', 'bs=1M', 'count=' + megabytes, 'oflag=direct'])
  }
  require('node:readline').createInterface(process.stdin).on('line', (line) => {
    const [command, ...args] = line.split(' ')
    commands[command](...args)
    console.log('done')
  })
`

let lab: Lab
let host: LabHost
let collector: KernelCollector
let server: Server
const connections = new Set<Socket>()

async function run(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.exec(argv)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${code}: ${stderr}`)
  return stdout.trim()
}

/** A container that does what `command` says, and is watched under its name. */
async function startWorker(name: string, command: string): Promise<void> {
  // Since Linux 6.10 version 1 counts the bytes of a disk only for containers that have a limit on it.
  const disk = (await run('df', '--output=source', '/var/lib/docker')).split('\n').at(-1)
  const limited = [
    ...['--cpus', '0.5', '--memory', '512m', '--memory-swap', '512m'],
    ...['--volume', 'data:/data', '--device-write-bps', `${disk}:1tb`],
  ]
  const script = `echo '${command}' | (cat; sleep 600) | node -e "$WORKER"`
  await run(
    'docker',
    'run',
    '--detach',
    '--name',
    name,
    '--env',
    `WORKER=${worker}`,
    ...limited,
    NODE_IMAGE,
    'sh',
    '-c',
    script,
  )
  await watch(name, name)
  if (command !== 'burn')
    await eventually(
      () => run('docker', 'logs', name),
      (logs) => logs.includes('done'),
    )
}

async function watch(instance: string, container: string): Promise<void> {
  const pidInHost = Number(await run('docker', 'inspect', '--format', '{{.State.Pid}}', container))
  const pid = await host.outerPid(pidInHost)
  if (pid === undefined) throw new Error(`${container} does not run`)
  collector.watch(instance, { containerId: container, pid, ...limits })
}

async function eventually<Value>(read: () => Value | Promise<Value>, accept: (value: Value) => boolean): Promise<void> {
  const end = Date.now() + 60_000
  let value = await read()
  while (Date.now() < end && !accept(value)) {
    await delay(50)
    value = await read()
  }
  if (!accept(value)) expect.unreachable(`after 60 s it is still ${JSON.stringify(value)}`)
}

const samplesOf = (instance: string) => collector.since().find((view) => view.instance === instance)?.samples ?? []
const countersOf = (instance: string) => collector.counters().find((each) => each.instance === instance)?.counters
const lastOf = (instance: string) => samplesOf(instance).at(-1)

beforeAll(async () => {
  lab = await createLab({ hosts: [{ baseImages: true }] })
  host = lab.host('h1')
  collector = createCollector({ node: 'h1', log: pino({ level: 'silent' }), intervalMs: 1000 })
  server = createServer((socket) => {
    connections.add(socket)
    socket.on('error', () => {}).once('close', () => connections.delete(socket))
    if (connections.size === 1) socket.write(Buffer.alloc(8 * mib))
  }).listen(0, lab.serverAddress)
  await once(server, 'listening')
})

afterAll(async () => {
  await collector?.[Symbol.asyncDispose]()
  for (const socket of connections) socket.destroy()
  server?.close()
  await lab?.[Symbol.asyncDispose]()
})

describe('the figures of real containers', () => {
  it('show a limited CPU as used and throttled, as Docker does', async () => {
    await startWorker('burner', 'burn')
    await eventually(
      () => samplesOf('burner').length,
      (count) => count >= 8,
    )
    // Looked at until it holds: where others want the CPUs as well, a limited container does not always get its limit.
    const recent = () => samplesOf('burner').slice(-5)
    const average = () => recent().reduce((sum, each) => sum + each.cpuMilli, 0) / recent().length
    await eventually(average, (milli) => milli > 350 && milli < 560)
    await eventually(recent, (samples) => samples.some((each) => each.throttledMilli > 100))
    const difference = async () => {
      const stats = await run('docker', 'stats', '--no-stream', '--format', '{{.CPUPerc}}', 'burner')
      return Math.abs(Number.parseFloat(stats) * 10 - average())
    }
    await eventually(difference, (milli) => milli < 120)
    await run('docker', 'kill', 'burner')
  })

  it('show memory that is held, and not the cache of files', async () => {
    await startWorker('holder', 'hold 100')
    await run('docker', 'exec', 'holder', 'dd', 'if=/dev/zero', 'of=/data/cached', 'bs=1M', 'count=100')
    const memory = () => lastOf('holder')?.memoryBytes ?? 0
    await eventually(memory, (bytes) => bytes > 100 * mib)
    expect(memory()).toBeLessThan(190 * mib)
    await run('docker', 'rm', '--force', 'holder')
  })

  it('show connections and what came over them', async () => {
    await startWorker('client', `connect 7 ${(server.address() as AddressInfo).port} ${lab.serverAddress}`)
    const count = () => lastOf('client')?.tcpConnections ?? 0
    await eventually(count, (connected) => connected === 7)
    const received = () => countersOf('client')?.networkInBytes ?? 0
    await eventually(received, (bytes) => bytes > 8 * mib)
    expect(received()).toBeLessThan(10 * mib)
    for (const socket of connections) socket.destroy()
    await eventually(count, (connected) => connected === 0)
    await run('docker', 'rm', '--force', 'client')
  })

  it('show what is written to disks', async () => {
    await startWorker('writer', 'write 32')
    await eventually(
      () => countersOf('writer')?.blockWriteBytes ?? 0,
      (bytes) => bytes >= 32 * mib,
    )
    await run('docker', 'rm', '--force', 'writer')
  })

  it('end with the container', async () => {
    await startWorker('mortal', 'hold 1')
    await eventually(
      () => samplesOf('mortal').length,
      (count) => count >= 2,
    )
    await run('docker', 'rm', '--force', 'mortal')
    await eventually(
      () => collector.counters().map((each) => each.instance),
      (names) => !names.includes('mortal'),
    )
    const count = samplesOf('mortal').length
    await collector.read()
    expect(samplesOf('mortal')).toHaveLength(count)
  })

  it('of 50 instances are read with a few milliseconds of processor time', async () => {
    await startWorker('one', 'hold 1')
    for (let n = 0; n < 50; n++) await watch(`copy-${n}`, 'one')
    const times: number[] = []
    for (let round = 0; round < 21; round++) {
      const start = process.cpuUsage()
      await collector.read()
      const { user, system } = process.cpuUsage(start)
      times.push((user + system) / 1000)
    }
    const median = times.sort((a, b) => a - b)[10]
    console.log(`50 instances: ${median?.toFixed(2)} ms`)
    expect(median).toBeLessThan(40)
  })
})
