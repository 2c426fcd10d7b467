import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Gateway } from '@berth/agent/gateway/gateway'
import { keepaliveLines, proxyBasics, proxyHeaders } from '@berth/agent/gateway/nginx-conf'
import { createNginxGateway } from '@berth/agent/gateway/nginx-gateway'
import type { Member, Route, RouteTable } from '@berth/core'
import { pino } from 'pino'
import { median } from './figure.ts'
import {
  bodyBytes,
  browserHeaders,
  connections,
  freePorts,
  gatewayCpu,
  measureLoad,
  nginxBasics,
  pinSelf,
  type Sample,
  startPlainNginx,
  workersOf,
} from './gateway-load.ts'

const sampleSeconds = 1

/** Berth's table holds these beside the one that is asked for, as a real one would. */
const otherRoutes = 19
const keepalive = 1024

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
    stack.use(await pinSelf())
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
      measureOurs: async (given) => measure(httpPort, await firstWorker(pid), given),
      measurePeer: async (given) => measure(peerPort, await firstWorker(peer.pid), given),
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

const firstWorker = async (master: number): Promise<number> => (await workersOf(master))[0]!

const measure = (port: number, worker: number, { seconds = sampleSeconds, bare = false }: MeasureOptions = {}) =>
  measureLoad(port, worker, seconds, { headers: ['Host: shop.example.com', ...(bare ? [] : browserHeaders)] })

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

/** nginx as an administrator would write it for these members. */
const peerConf = (port: number, ports: readonly number[]) => (dir: string) =>
  `${nginxBasics(dir, '1')}
  http {
    access_log off;
    ${proxyBasics().join('\n    ')}
    ${proxyHeaders('$remote_addr').join('\n    ')}
    upstream shop { ${ports.map((each) => `server 127.0.0.1:${each};`).join(' ')} ${keepaliveLines(keepalive).join(' ')} }
    server { listen 127.0.0.1:${port} default_server backlog=4096; location / { proxy_pass http://shop; } }
  }`

const membersConf = (ports: readonly number[]) => (dir: string) =>
  `${nginxBasics(dir, '10')}
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
