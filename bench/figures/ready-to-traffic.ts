import { Agent, request } from 'node:http'
import { webApp } from '../../e2e/support/apps.ts'
import { Cluster } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import { type Figure, percentile } from '../figure.ts'
import { instances } from '../support.ts'

const rounds = 8
const perRound = 5

/** From the agent's own time of readiness to the gateway's first answer by that instance; both clocks are this machine's. */
export const figure: Figure = {
  name: 'ready-to-traffic',
  description: 'from an instance being ready to the first request that it serves through the gateway, p99',
  unit: 'ms',
  peer: 'none',
  peerKind: 'none',
  target: '<= 100',
  async run(context) {
    await using cluster = await Cluster.start()
    const repository = await cluster.repository('shop', webApp({ replicas: 1 }))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const served = new Map<string, number>()
    const asking = ask(`${cluster.gatewayUrl}/`, served, context.signal)
    const samples: number[] = []
    for (let round = 0; round < rounds; round++) {
      const before = new Set((await instances(cluster, 'shop')).map((each) => each.id))
      await scale(cluster, 1 + perRound)
      for (const each of await instances(cluster, 'shop')) {
        const first = served.get(each.id)
        if (!before.has(each.id) && first !== undefined && each.readyAt !== undefined)
          samples.push(Math.max(0, first - each.readyAt))
      }
      await scale(cluster, 1)
    }
    asking.stop()
    await asking.done
    const p99 = percentile(samples, 99)
    return {
      ours: p99,
      peer: 0,
      ratio: p99,
      ok: p99 <= 100,
      samples,
      notes: [`median ${percentile(samples, 50)} ms over ${samples.length} instances`],
    }
  },
}

async function scale(cluster: Cluster, count: number): Promise<void> {
  await cluster.client.call('scalePool', {
    params: { app: 'shop', pool: 'production' },
    body: { replicas: { web: count } },
  })
  await until(
    `${count} in traffic`,
    async () => {
      const all = await instances(cluster, 'shop')
      return all.length === count && all.every((each) => each.inTraffic)
    },
    60_000,
  )
  // So that each has been asked: requests go round.
  await new Promise((resolve) => setTimeout(resolve, 300))
}

/** Asks again and again, and notes when each instance answered for the first time. */
function ask(url: string, served: Map<string, number>, signal: AbortSignal): { stop: () => void; done: Promise<void> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let stopped = false
  const loop = async () => {
    while (!stopped && !signal.aborted) {
      const { instance } = JSON.parse(await bodyOf(url, agent)) as { instance: string }
      if (!served.has(instance)) served.set(instance, Date.now())
    }
    agent.destroy()
  }
  const stop = () => {
    stopped = true
  }
  return { stop, done: loop() }
}

function bodyOf(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, headers: { host: 'shop.test' } }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response.once('end', () => resolve(body))
    })
    call.once('error', reject)
    call.end()
  })
}
