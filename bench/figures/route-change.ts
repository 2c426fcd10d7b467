import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Cluster } from '../../e2e/support/cluster.ts'
import { inParallel, until } from '../../e2e/support/load.ts'
import { type Figure, type FigureContext, median, percentile } from '../figure.ts'

const routes = 1_000
const membersEach = 10
const changes = 100
const warmUpChanges = 5
const betweenMs = 200
const maxP99Ms = 50
const host = 'changed.test'

/** External services stand for pools: the way from the store to nginx is the same, and ten thousand of their members need no containers. */
export const figure: Figure = {
  name: 'route-change',
  description: `the member of a route is another one by the API until a request meets it, ${routes} routes and ${routes * membersEach} members configured, p99`,
  unit: 'ms',
  peer: 'none',
  peerKind: 'none',
  target: `< ${maxP99Ms}`,
  async run(context) {
    await using cluster = await Cluster.start()
    const address = cluster.lab.serverAddress
    const servers = await Promise.all(['a', 'b'].map((name) => answering(name, address)))
    try {
      await fill(cluster, context)
      const ports = servers.map(portOf)
      const done = await measure(cluster, address, ports, context)
      const times = done.map(({ seenMs }) => seenMs)
      const ours = percentile(times, 99)
      return {
        ...{ ours, peer: maxP99Ms, ratio: ours / maxP99Ms, ok: ours < maxP99Ms, samples: times },
        notes: [
          `p50 ${median(times).toFixed(1)} ms; the call itself was answered in ${median(done.map((each) => each.answeredMs)).toFixed(1)} ms (p50)`,
          `failed requests: ${done.reduce((sum, each) => sum + each.failed, 0)} of ${done.reduce((sum, each) => sum + each.asked, 0)}`,
        ],
      }
    } finally {
      for (const server of servers) server.close()
    }
  },
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

function answering(name: string, address: string): Promise<Server> {
  const server = createServer((_, response) => response.end(name))
  return new Promise((resolve) => server.listen(0, address, () => resolve(server)))
}

const put = (cluster: Cluster, name: string, addresses: readonly string[], port: number, of: string) =>
  cluster.client.call('setExternal', {
    params: { name },
    query: {},
    body: { addresses: [...addresses], ports: { http: port }, routes: [of] },
  })

/** Nobody is at the addresses of the others: they are asked for nothing. */
async function fill(cluster: Cluster, { log }: FigureContext): Promise<void> {
  const numbers = Array.from({ length: routes - 1 }, (_, index) => index)
  await inParallel(numbers, 16, async (number) => {
    const addresses = Array.from(
      { length: membersEach },
      (_, at) => `192.168.${number % 250}.${Math.floor(number / 250) * membersEach + at + 1}`,
    )
    await put(cluster, `service-${number}-x`, addresses, 8080, `service-${number}.test`)
  })
  log(`${routes - 1} others are there`)
}

interface Change {
  readonly answeredMs: number
  readonly seenMs: number
  readonly asked: number
  readonly failed: number
}

async function measure(
  cluster: Cluster,
  address: string,
  ports: readonly number[],
  context: FigureContext,
): Promise<readonly Change[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = () => bodyOf(`${cluster.gatewayUrl}/`, agent)
  const done: Change[] = []
  try {
    await put(cluster, 'changed', [address], ports[0] ?? 0, host)
    await until('the first answer', async () => (await ask()) === 'a', 60_000)
    for (let number = 1 - warmUpChanges; number <= changes && !context.signal.aborted; number++) {
      const next = number % 2 === 0 ? 'a' : 'b'
      const from = performance.now()
      let answeredMs = Number.NaN
      const call = put(cluster, 'changed', [address], ports[next === 'a' ? 0 : 1] ?? 0, host).then(() => {
        answeredMs = performance.now() - from
      })
      let [asked, failed] = [0, 0]
      for (let met = false; !met && performance.now() - from < 20_000; ) {
        const body = await ask()
        asked++
        if (body !== 'a' && body !== 'b') failed++
        met = body === next
      }
      const seenMs = performance.now() - from
      await call
      if (number > 0) done.push({ answeredMs, seenMs, asked, failed })
      if (number > 0 && number % 20 === 0) context.log(`${number} of ${changes}: the last took ${seenMs.toFixed(0)} ms`)
      await new Promise((resolve) => setTimeout(resolve, betweenMs))
    }
  } finally {
    agent.destroy()
  }
  return done
}

/** Whatever came back instead of an answer is its body. */
function bodyOf(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const call = request(url, { agent, headers: { host } }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response.once('end', () => resolve(body))
    })
    call.once('error', (error) => resolve(error.message))
    call.end()
  })
}
