import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createNetdFiles } from '@berth/agent/dns/netd-files'
import type { NameEntry } from '@berth/core'
import dnsPacket from 'dns-packet'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'

const pairs = 7
const latencyPairs = 5
const sampleSeconds = 2
const wantedPerSecond = 20_000
const wantedP99Ms = 2
const apps = 100
const instancesPerApp = 10

const address = '127.0.0.1'
/** The server has one core to itself, and so has what asks it. */
const serverCore = '0'
const askerCore = String(Math.min(1, availableParallelism() - 1))

/** netd as nodes run it, against the small DNS server that most systems have at hand. */
export const figure: Figure = {
  name: 'dns-rate',
  description: `names answered by netd on one core: A and AAAA in pairs, ${apps} apps of ${instancesPerApp} instances`,
  unit: 'answers/s',
  peer: 'dnsmasq with the same names',
  target: `>= ${wantedPerSecond}/s, p99 < ${wantedP99Ms} ms at that rate`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-dns-'))
  try {
    await writeFile(join(directory, 'questions'), questions())
    await using netd = await startNetd(directory)
    await using dnsmasq = await startDnsmasq(directory)
    const samples: { ours: number; peer: number }[] = []
    for (let pair = 1; pair <= pairs && !signal.aborted; pair++) {
      samples.push({
        ours: await answersPerSecond(directory, netd.port),
        peer: await answersPerSecond(directory, dnsmasq.port),
      })
      log(`pair ${pair} of ${pairs}`)
    }
    const latencies: { ours: number; peer: number }[] = []
    for (let pair = 1; pair <= latencyPairs && !signal.aborted; pair++) {
      latencies.push({ ours: await p99Ms(directory, netd.port), peer: await p99Ms(directory, dnsmasq.port) })
    }
    const ourP99Ms = median(latencies.map((each) => each.ours))
    const peerP99Ms = median(latencies.map((each) => each.peer))
    const ours = median(samples.map((sample) => sample.ours))
    return {
      ours,
      peer: median(samples.map((sample) => sample.peer)),
      ratio: median(samples.map((sample) => sample.ours / sample.peer)),
      ok: ours >= wantedPerSecond && ourP99Ms < wantedP99Ms,
      samples: samples.map((sample) => sample.ours),
      notes: [`p99 at ${wantedPerSecond} questions/s: ${ourP99Ms.toFixed(2)} ms, dnsmasq ${peerP99Ms.toFixed(2)} ms`],
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const entries = (): NameEntry[] =>
  Array.from({ length: apps * instancesPerApp }, (_, n) => {
    const app = `app-${n % apps}`
    return {
      app,
      pool: 'production',
      entrypoint: 'web',
      instance: `${app}.production.web-${Math.floor(n / apps)}`,
      address: `10.77.${1 + Math.floor(n / 250)}.${2 + (n % 250)}`,
      ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
    }
  })

const questions = (): string =>
  Array.from({ length: apps }, (_, n) => `web.app-${n}.berth A\nweb.app-${n}.berth AAAA\n`).join('')

interface Server extends AsyncDisposable {
  readonly port: number
}

async function startNetd(directory: string): Promise<Server> {
  const files = createNetdFiles(directory)
  await files.writeNames({ version: 1, entries: entries() })
  const network = { pool: '10.77.0.0/16', block: '10.77.1.0/24', peers: [], domain: 'berth', defaultPool: 'production' }
  await files.writeNetwork(network)
  const script = fileURLToPath(import.meta.resolve('@berth/agent/dns/netd-process.testing'))
  const port = await freePort()
  // The program's own setting (scripts/build-binary.ts).
  const program = [process.execPath, '--max-semi-space-size=2', script]
  return await startServer([...program, directory, address, String(port)], port)
}

async function startDnsmasq(directory: string): Promise<Server> {
  const hosts = join(directory, 'hosts')
  await writeFile(
    hosts,
    entries()
      .map((entry) => `${entry.address} web.${entry.app}.berth\n`)
      .join(''),
  )
  const port = await freePort()
  const local = [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--user=root',
    '--pid-file=',
    '--conf-file=/dev/null',
  ]
  const serving = [`--addn-hosts=${hosts}`, '--local=/berth/', '--local-ttl=1', '--cache-size=10000']
  const listening = [`--port=${port}`, `--listen-address=${address}`, '--bind-interfaces']
  return await startServer(['dnsmasq', ...local, ...serving, ...listening], port)
}

async function startServer(argv: readonly string[], port: number): Promise<Server> {
  const child = spawn('taskset', ['--cpu-list', serverCore, ...argv], { stdio: ['ignore', 'ignore', 'inherit'] })
  await untilAnswers(child, argv[0] ?? '', port)
  return {
    port,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function untilAnswers(child: ChildProcess, name: string, port: number): Promise<void> {
  const end = Date.now() + 10_000
  const question = dnsPacket.encode({ type: 'query', questions: [{ name: 'web.app-0.berth', type: 'A' }] })
  while (Date.now() < end && child.exitCode === null) {
    const socket = createSocket('udp4')
    socket.on('error', () => {})
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(200) }).catch(() => undefined)
    socket.send(question, port, address)
    const answer = await answered
    socket.close()
    if (answer !== undefined) return
    await delay(50)
  }
  throw new Error(`${name} does not answer; the figure needs the packages dnsperf, dnsmasq-base and util-linux`)
}

/** Free for UDP and TCP: both servers listen on both. */
async function freePort(tries = 20): Promise<number> {
  const socket = createSocket('udp4')
  const server = createServer()
  try {
    socket.bind(0, address)
    await once(socket, 'listening')
    const { port } = socket.address()
    server.listen(port, address)
    await once(server, 'listening')
    server.close()
    return port
  } catch (error) {
    if (tries === 0) throw error
    return await freePort(tries - 1)
  } finally {
    socket.close()
  }
}

const dnsperf = async (directory: string, port: number, options: readonly string[]): Promise<string> => {
  const questionFile = ['-d', join(directory, 'questions')]
  const argv = ['--cpu-list', askerCore, 'dnsperf', '-s', address, '-p', String(port), ...questionFile, ...options]
  return (await promisify(execFile)('taskset', argv, { maxBuffer: 256 * 1024 * 1024 })).stdout
}

/** With up to 100 questions under way. */
async function answersPerSecond(directory: string, port: number): Promise<number> {
  const report = await dnsperf(directory, port, ['-l', String(sampleSeconds), '-c', '20', '-q', '100'])
  const lost = Number(/Queries lost:\s+(\d+)/.exec(report)?.[1])
  if (lost !== 0) throw new Error(`${lost} questions were lost:\n${report}`)
  return Number(/Queries per second:\s+([\d.]+)/.exec(report)?.[1])
}

async function p99Ms(directory: string, port: number): Promise<number> {
  const options = ['-l', String(sampleSeconds), '-c', '20', '-q', '1000', '-Q', String(wantedPerSecond), '-v']
  const report = await dnsperf(directory, port, options)
  const latenciesMs = [...report.matchAll(/^> NOERROR \S+ \S+ ([\d.]+)$/gm)].map((match) => Number(match[1]) * 1000)
  return percentile(latenciesMs, 99)
}
