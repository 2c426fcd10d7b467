/** A thousand routes with ten members each behind Berth's gateway, plain nginx and haproxy, one worker each on the same CPU. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { keepaliveLines, proxyBasics, proxyHeaders } from '@berth/agent/gateway/nginx-conf'
import { createNginxGateway } from '@berth/agent/gateway/nginx-gateway'
import type { Member, Route } from '@berth/core'
import { pino } from 'pino'
import {
  bodyBytes,
  browserHeaders,
  freePorts,
  gatewayCpu,
  measureLoad,
  nginxBasics,
  pinSelf,
  type Sample,
  startPlainNginx,
  workersOf,
} from './gateway-load.ts'

export const routeCount = 1000
export const membersPerRoute = 10
/** Places of the haproxy's, and nginx's idle connections for each route: a few more than it has members. */
const idlePerRoute = 16
const memberProcesses = 4

/** Addresses of each route's members, in order. */
export type Fleet = readonly (readonly string[])[]

export interface Contender {
  readonly name: string
  readonly port: number
  /** Makes member `place` of `route` another one; resolves when the call is over. */
  change(route: number, place: number, address: string): Promise<void>
  /** The processes that serve; of a plain nginx that was reloaded also those that finish. */
  workers(): Promise<readonly number[]>
}

export interface FleetSample extends Sample {
  /** New connections to members for each request: where requests are too few for as many members, idle ones end before they are used. */
  readonly opened: number
}

export interface FleetBench extends AsyncDisposable {
  readonly ours: Contender
  readonly plain: Contender
  readonly haproxy: Contender
  measure(contender: Contender, seconds?: number): Promise<FleetSample>
}

export const hostOf = (route: number): string => `app-${route}.example.com`

/** All of 127.0.0.0/8 is this machine, so one server has as many addresses as are wanted. */
export function addressOf(index: number): string {
  return `127.${1 + (index >> 14)}.${(index >> 7) & 127}.${1 + (index & 127)}`
}

/** Those that it has at the beginning. */
export const membersOf = (route: number): readonly string[] =>
  Array.from({ length: membersPerRoute }, (_, place) => addressOf(route * membersPerRoute + place))

/** An address that no member had so far. */
let spare = routeCount * membersPerRoute
export const spareAddress = (): string => addressOf(spare++)

export async function openFleetBench(): Promise<FleetBench> {
  const dir = await mkdtemp('/var/tmp/berth-bench-fleet-')
  const stack = new AsyncDisposableStack()
  try {
    stack.defer(() => rm(dir, { recursive: true, force: true }))
    stack.use(await pinSelf())
    const [memberPort, oursPort, plainPort, haproxyPort] = (await freePorts(4)) as [number, number, number, number]
    const fleet = Array.from({ length: routeCount }, (_, route) => membersOf(route))
    stack.use(await startPlainNginx(join(dir, 'members'), membersConf(memberPort)))
    const plain = await startPlain(join(dir, 'plain'), plainPort, memberPort, fleet, stack)
    const haproxy = await startHaproxy(join(dir, 'haproxy'), haproxyPort, memberPort, fleet, stack)
    const ours = await startOurs(join(dir, 'gateway'), oursPort, memberPort, fleet, stack)
    const script = join(dir, 'requests.lua')
    await writeFile(script, wrkScript())
    return {
      ours,
      plain,
      haproxy,
      measure: async (contender, seconds = 1) => {
        const worker = (await contender.workers()).at(-1)!
        const before = await acceptedBy(memberPort)
        const sample = await measureLoad(contender.port, worker, seconds, { headers: browserHeaders, script })
        return { ...sample, opened: ((await acceptedBy(memberPort)) - before) / sample.requests }
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function startOurs(
  stateDir: string,
  httpPort: number,
  memberPort: number,
  fleet: Fleet,
  stack: AsyncDisposableStack,
): Promise<Contender> {
  const gateway = createNginxGateway({
    stateDir,
    httpPort,
    listenAddress: '127.0.0.1',
    workers: 1,
    workerCpus: [gatewayCpu],
    log: pino({ level: 'silent' }),
  })
  stack.defer(() => gateway.stop({ graceMs: 0 }))
  await gateway.start()
  const routes = fleet.map((addresses, route) => routeOf(route, addresses, memberPort))
  const addresses = fleet.map((each) => [...each])
  let version = 0
  const apply = () => gateway.apply({ version: ++version, routes: [...routes], certificates: [] })
  await apply()
  const { pid } = await gateway.status()
  return {
    name: 'gateway',
    port: httpPort,
    change: (route, place, address) => {
      addresses[route]![place] = address
      routes[route] = routeOf(route, addresses[route]!, memberPort)
      return apply()
    },
    workers: () => workersOf(pid),
  }
}

function routeOf(route: number, addresses: readonly string[], port: number): Route {
  const members = addresses.map(
    (address): Member => ({ instance: `web-${address}`, address, port, weight: 1, state: 'active' }),
  )
  const targets = [{ pool: `app-${route}/production/web`, weight: 1, members }]
  const host = hostOf(route)
  return { id: host, host, path: '/', targets, tls: 'on', timeoutMs: 60_000, maxBodyBytes: 104_857_600 }
}

/** nginx as an administrator would write it; a change is a new file and a reload. */
async function startPlain(
  dir: string,
  port: number,
  memberPort: number,
  fleet: Fleet,
  stack: AsyncDisposableStack,
): Promise<Contender> {
  const addresses = fleet.map((each) => [...each])
  const nginx = stack.use(await startPlainNginx(dir, (at) => plainConf(at, port, memberPort, addresses)))
  return {
    name: 'plain nginx',
    port,
    change: (route, place, address) => {
      addresses[route]![place] = address
      return nginx.reload(plainConf(dir, port, memberPort, addresses))
    },
    workers: () => workersOf(nginx.pid),
  }
}

const plainConf = (dir: string, port: number, memberPort: number, fleet: Fleet) => `${nginxBasics(dir, '1')}
  http {
    access_log off;
    server_names_hash_max_size 8192;
    ${proxyBasics().join('\n    ')}
    ${proxyHeaders('$remote_addr').join('\n    ')}
    ${fleet
      .map(
        (addresses, route) => `upstream app-${route} {
      ${addresses.map((address) => `server ${address}:${memberPort};`).join(' ')}
      ${keepaliveLines(idlePerRoute).join(' ')}
    }
    server {
      listen 127.0.0.1:${port}${route === 0 ? ' default_server backlog=4096' : ''};
      server_name ${hostOf(route)};
      location / { proxy_pass http://app-${route}; }
    }`,
      )
      .join('\n    ')}
  }`

/** Every member is the same few processes, which tell at `/where` by which address they were asked. */
const membersConf = (port: number) => (dir: string) =>
  `${nginxBasics(dir, '10', memberProcesses)}
  http {
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
    default_type text/plain;
    server {
      listen 0.0.0.0:${port} reuseport backlog=4096;
      location / { return 200 "${'x'.repeat(bodyBytes)}"; }
      location = /where { return 200 $server_addr; }
      location = /accepted { stub_status; }
    }
  }`

/** How many connections the members have accepted so far. */
async function acceptedBy(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/accepted`)).text()
  return Number(/^\s*(\d+) \d+ \d+/m.exec(text)?.[1])
}

/** A change is a command to its runtime API. */
async function startHaproxy(
  dir: string,
  port: number,
  memberPort: number,
  fleet: Fleet,
  stack: AsyncDisposableStack,
): Promise<Contender> {
  await mkdir(dir, { recursive: true })
  const socket = join(dir, 'admin.sock')
  await writeFile(join(dir, 'hosts.map'), fleet.map((_, route) => `${hostOf(route)} app-${route}\n`).join(''))
  await writeFile(join(dir, 'haproxy.cfg'), haproxyConf(dir, socket, port, memberPort, fleet))
  const command = ['-c', String(gatewayCpu), 'haproxy', '-db', '-f', join(dir, 'haproxy.cfg')]
  const child = spawn('taskset', command, { stdio: 'ignore' })
  const ended = once(child, 'exit')
  stack.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  await untilListening(port, ended)
  return {
    name: 'haproxy',
    port,
    change: async (route, place, address) => {
      await askHaproxy(socket, `set server app-${route}/m${place} addr ${address} port ${memberPort}`)
    },
    workers: () => Promise.resolve([child.pid!]),
  }
}

/** The same headers, times and kept connections; nothing is closed because many are open. */
const haproxyConf = (dir: string, socket: string, port: number, memberPort: number, fleet: Fleet) => `global
  nbthread 1
  maxconn 2000
  fd-hard-limit 20000
  tune.pool-low-fd-ratio 90
  tune.pool-high-fd-ratio 95
  stats socket ${socket} level admin
defaults
  mode http
  timeout connect 3s
  timeout client 75s
  timeout server 60s
  timeout http-keep-alive 75s
  http-reuse safe
frontend all
  bind 127.0.0.1:${port} backlog 4096
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  use_backend %[req.hdr(host),lower,map_str(${join(dir, 'hosts.map')})]
${fleet
  .map(
    (addresses, route) =>
      `backend app-${route}\n${addresses.map((address, place) => `  server m${place} ${address}:${memberPort}`).join('\n')}`,
  )
  .join('\n')}
`

function askHaproxy(socket: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const connection = createConnection(socket, () => connection.write(`${command}\n`))
    connection.setEncoding('utf8').setTimeout(5000, () => connection.destroy(new Error('haproxy does not answer')))
    connection.on('data', (part) => {
      text += part
    })
    connection.once('error', reject).once('end', () => resolve(text))
  })
}

async function untilListening(port: number, ended: Promise<unknown>): Promise<void> {
  let over = false
  void ended.then(() => {
    over = true
  })
  for (let attempt = 0; attempt < 200; attempt++) {
    if (over) break
    const listens = await new Promise<boolean>((resolve) => {
      const connection = createConnection(port, '127.0.0.1', () => resolve(true))
      connection.once('error', () => resolve(false)).once('connect', () => connection.destroy())
    })
    if (listens) return
    await delay(50)
  }
  throw new Error('haproxy does not start')
}

/** Requests go to all routes in turn; their texts are made once. */
const wrkScript = () => `local requests, turn = {}, 0
function init()
  for route = 1, ${routeCount} do
    wrk.headers['Host'] = 'app-' .. (route - 1) .. '.example.com'
    requests[route] = wrk.format('GET', '/')
  end
end
function request()
  turn = turn % ${routeCount} + 1
  return requests[turn]
end
`

/** Proportional and resident memory of all of the contender's workers, in MB. */
export async function memoryOf(contender: Contender): Promise<{ pss: number; rss: number; workers: number }> {
  const pids = await contender.workers()
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')))
  const sum = (pattern: RegExp) => texts.reduce((total, text) => total + Number(pattern.exec(text)?.[1] ?? 0), 0) / 1024
  return { pss: sum(/^Pss:\s+(\d+)/m), rss: sum(/^Rss:\s+(\d+)/m), workers: pids.length }
}
