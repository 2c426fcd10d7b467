import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Gateway } from '@berth/agent/gateway/gateway'
import { keepaliveLines, proxyBasics, proxyHeaders } from '@berth/agent/gateway/nginx-conf'
import { createNginxGateway } from '@berth/agent/gateway/nginx-gateway'
import { findNginx } from '@berth/agent/gateway/nginx-install'
import { runCommand } from '@berth/agent/network/run-command'
import type { Member, Route, RouteTable } from '@berth/core'
import { pino } from 'pino'
import { median } from './figure.ts'

const run = promisify(execFile)

/** The gateway has a CPU of its own; load and members share the others. */
const gatewayCpu = 0
const loadCpus = availableParallelism() > 2 ? `1-${availableParallelism() - 1}` : '1'
const connections = 64
const bodyBytes = 200
const sampleSeconds = 1
/** What a browser sends. */
const browserHeaders = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.9,de;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Referer: http://shop.example.com/',
  'Cookie: session=3f2a9c0d7b1e4f6a8c5d; theme=dark',
  'Cache-Control: max-age=0',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: same-origin',
]

/** Berth's table holds these beside the one that is asked for, as a real one would. */
const otherRoutes = 19
const keepalive = 1024

export interface Sample {
  readonly requestsPerSecond: number
  readonly failed: number
  /** Of the gateway's worker, for one request. */
  readonly cpuNs: number
  /** Share of its CPU that the worker used. */
  readonly busy: number
}

export interface GatewayBench extends AsyncDisposable {
  readonly gateway: Gateway
  /** Ports of members that answer. */
  readonly ports: readonly number[]
  applyMembers(ports: readonly number[]): Promise<void>
  measureOurs(given?: MeasureOptions): Promise<Sample>
  measurePeer(given?: MeasureOptions): Promise<Sample>
}

export interface MeasureOptions {
  readonly seconds?: number
  /** Requests with no header but Host. */
  readonly bare?: boolean
}

/**
 * Berth's gateway and plain nginx beside each other, one worker each on the same CPU, in turns: the same members, headers, timeouts and
 * keep-alive. Plain nginx has them as `server` lines in its configuration, and its defaults in everything else.
 */
export async function openGatewayBench(memberCount: number): Promise<GatewayBench> {
  const dir = await mkdtemp('/var/tmp/berth-bench-gateway-')
  const stack = new AsyncDisposableStack()
  try {
    stack.defer(() => rm(dir, { recursive: true, force: true }))
    await pinSelf(loadCpus)
    stack.defer(() => pinSelf(`0-${availableParallelism() - 1}`))
    const ports = await freePorts(memberCount + 2)
    const [httpPort, peerPort, ...memberPorts] = ports as [number, number, ...number[]]
    stack.use(await startPlainNginx(join(dir, 'members'), membersConf(memberPorts)))
    const peer = stack.use(await startPlainNginx(join(dir, 'peer'), peerConf(peerPort, memberPorts.slice(0, 4))))
    const log = pino({ level: 'silent' })
    const gateway = createNginxGateway({
      stateDir: join(dir, 'gateway'),
      httpPort,
      listenAddress: '127.0.0.1',
      workers: 1,
      workerCpus: [gatewayCpu],
      keepalive,
      log,
    })
    stack.defer(() => gateway.stop({ graceMs: 0 }))
    await gateway.start()
    let version = 0
    const applyMembers = (list: readonly number[]) => gateway.apply(tableOf(++version, list))
    await applyMembers(memberPorts.slice(0, 4))
    const { pid } = await gateway.status()
    return {
      gateway,
      ports: memberPorts,
      applyMembers,
      measureOurs: async (given) => measure(httpPort, await workerOf(pid), given),
      measurePeer: async (given) => measure(peerPort, await workerOf(peer.pid), given),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** Ratio ours ÷ peer of each pair; the order within the pairs alternates, as machines drift. */
export async function measurePairs(
  pairs: number,
  signal: AbortSignal,
  ours: () => Promise<Sample>,
  peer: () => Promise<Sample>,
  onPair: (text: string) => void,
): Promise<{ ours: Sample; peer: Sample }[]> {
  const results: { ours: Sample; peer: Sample }[] = []
  for (let pair = 0; pair < pairs; pair++) {
    signal.throwIfAborted()
    const first = pair % 2 === 0 ? await ours() : undefined
    const peerSample = await peer()
    const oursSample = first ?? (await ours())
    results.push({ ours: oursSample, peer: peerSample })
    onPair(`pair ${pair + 1} of ${pairs}: ${(oursSample.requestsPerSecond / peerSample.requestsPerSecond).toFixed(3)}`)
  }
  return results
}

/** What the pairs say besides the ratio of requests/s. */
export function describePairs(pairs: readonly { ours: Sample; peer: Sample }[]): string[] {
  const ratios = pairs.map(({ ours, peer }) => ours.requestsPerSecond / peer.requestsPerSecond)
  const mean = ratios.reduce((sum, value) => sum + value, 0) / ratios.length
  const variance = ratios.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (ratios.length - 1)
  const cpu = (side: 'ours' | 'peer') => median(pairs.map((pair) => pair[side].cpuNs)) / 1000
  const busy = (side: 'ours' | 'peer') => Math.round(100 * median(pairs.map((pair) => pair[side].busy)))
  return [
    `mean of ${pairs.length} pairs ${mean.toFixed(3)} ± ${Math.sqrt(variance / ratios.length).toFixed(3)} (standard error)`,
    `CPU of the worker per request: ${cpu('ours').toFixed(2)} µs, plain ${cpu('peer').toFixed(2)} µs: ratio ${median(pairs.map(({ ours, peer }) => peer.cpuNs / ours.cpuNs)).toFixed(3)}`,
    `worker's CPU in use: ${busy('ours')} %, plain ${busy('peer')} %`,
    `${connections} connections, a browser's headers, ${bodyBytes}-byte bodies, ${otherRoutes + 1} routes in the table`,
  ]
}

export const medianRatio = (pairs: readonly { ours: Sample; peer: Sample }[]): number =>
  median(pairs.map(({ ours, peer }) => ours.requestsPerSecond / peer.requestsPerSecond))

async function measure(
  port: number,
  worker: number,
  { seconds = sampleSeconds, bare = false }: MeasureOptions = {},
): Promise<Sample> {
  const before = await cpuNsOf(worker)
  const begin = process.hrtime.bigint()
  const url = `http://127.0.0.1:${port}/`
  const headers = ['Host: shop.example.com', ...(bare ? [] : browserHeaders)].flatMap((header) => ['-H', header])
  const args = ['-c', loadCpus, 'wrk', '-t1', `-c${connections}`, `-d${seconds}`, ...headers, url]
  const { stdout } = await run('taskset', args)
  const elapsedNs = Number(process.hrtime.bigint() - begin)
  const used = (await cpuNsOf(worker)) - before
  const requests = numberIn(stdout, /(\d+) requests in/)
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []
  const failed =
    numberIn(stdout, /Non-2xx or 3xx responses: (\d+)/) + socketErrors.map(Number).reduce((a, b) => a + b, 0)
  return {
    requestsPerSecond: numberIn(stdout, /Requests\/sec:\s+([\d.]+)/),
    failed,
    cpuNs: used / requests,
    busy: used / elapsedNs,
  }
}

/** What the bench itself does (applying tables) must not disturb the gateway's CPU. */
async function pinSelf(cpus: string): Promise<void> {
  await run('taskset', ['-a', '-c', '-p', cpus, String(process.pid)])
}

const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)

const cpuNsOf = async (pid: number): Promise<number> =>
  Number((await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')[0])

async function workerOf(master: number): Promise<number> {
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8')
  return Number(children.trim().split(' ')[0])
}

function tableOf(version: number, ports: readonly number[]): RouteTable {
  const others = Array.from({ length: otherRoutes }, (_, index) => routeOf(`app-${index}.example.com`, [8080]))
  return { version, routes: [routeOf('shop.example.com', ports), ...others], certificates: [] }
}

function routeOf(host: string, ports: readonly number[]): Route {
  const members = ports.map(
    (port): Member => ({ instance: `web-${port}`, address: '127.0.0.1', port, weight: 1, state: 'active' }),
  )
  const targets = [{ pool: 'shop/production/web', weight: 1, members }]
  return { id: host, host, path: '/', targets, tls: 'on', timeoutMs: 60_000, maxBodyBytes: 104_857_600 }
}

const basics = (dir: string, cpuMask: string): string => `
  worker_processes 1;
  worker_cpu_affinity ${cpuMask};
  pid ${dir}/nginx.pid;
  error_log ${dir}/error.log crit;
  events { worker_connections 16384; multi_accept on; }`

/** nginx as an administrator would write it for these members. */
const peerConf = (port: number, ports: readonly number[]) => (dir: string) =>
  `${basics(dir, '1')}
  http {
    access_log off;
    ${proxyBasics().join('\n    ')}
    ${proxyHeaders('$remote_addr').join('\n    ')}
    upstream shop { ${ports.map((each) => `server 127.0.0.1:${each};`).join(' ')} ${keepaliveLines(keepalive).join(' ')} }
    server { listen 127.0.0.1:${port} default_server backlog=4096; location / { proxy_pass http://shop; } }
  }`

const membersConf = (ports: readonly number[]) => (dir: string) =>
  `${basics(dir, '10')}
  http {
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
    default_type text/plain;
    server {
      ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join('\n      ')}
      location / { return 200 "${'x'.repeat(bodyBytes)}"; }
    }
  }`

/** An nginx of its own, as a daemon; gone when disposed. */
export async function startPlainNginx(
  dir: string,
  conf: (dir: string) => string,
): Promise<AsyncDisposable & { readonly pid: number }> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'nginx.conf'), conf(dir))
  const { path } = await findNginx(runCommand)
  await run(path, ['-p', dir, '-c', join(dir, 'nginx.conf')])
  const pid = Number(await readFile(join(dir, 'nginx.pid'), 'utf8'))
  return {
    pid,
    [Symbol.asyncDispose]: () =>
      runCommand(path, ['-p', dir, '-c', join(dir, 'nginx.conf'), '-s', 'stop']).then(() => {}),
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
