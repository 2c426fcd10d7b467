import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { NetworkProcess } from '../../e2e/network/network-client.ts'
import { until } from '../../e2e/support/load.ts'
import { createNetdFiles } from '../../packages/agent/src/dns/netd-files.ts'
import { DockerClient } from '../../packages/agent/src/engine/docker-client.ts'
import {
  BASE_IMAGE,
  createLab,
  type LabHost,
  makeBaseImages,
  type SpawnedProcess,
} from '../../packages/lab/src/index.ts'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'

const pairs = 40
const warmUpPairs = 3
const maxRatio = 1.1

/** Docker's call that starts a container which exists already: what differs is the network alone. */
export const figure: Figure = {
  name: 'routed-start',
  description: "start of a container in a routed network ÷ in a network of Docker's own bridge driver, same engine",
  unit: 'ms',
  peer: 'docker network create --driver bridge',
  target: `<= ${maxRatio}`,
  async run(context) {
    await using lab = await createLab({ hosts: [{ startDockerd: false }] })
    const host = lab.host('h1')
    const address = await prepare(host, lab.containerPool)
    const netd = await startNetd(host)
    try {
      await host.startDockerd({ signal: context.signal })
      await makeBaseImages(host.dockerHost, { signal: context.signal })
      const network = new NetworkProcess(host, undefined, 'routed')
      try {
        const config = {
          pool: lab.containerPool,
          block: blockIn(lab.containerPool),
          peers: [],
          domain: 'berth',
          defaultPool: 'p',
        }
        const { code, message } = await network.call({ ensure: config })
        if (code !== undefined) throw new Error(`${code}: ${message}`)
        const result = await measure(host, address, context)
        const boot = `dockerd answers ${await bootMs(host, network)} ms after its start with nobody but netd alive (aim: 2000)`
        return { ...result, notes: [...(result.notes ?? []), boot] }
      } finally {
        await network.end()
      }
    } finally {
      netd.kill('SIGTERM')
    }
  },
}

/** Docker asks the plugin for the networks that it has before it answers anybody: so it must not wait for us. */
async function bootMs(host: LabHost, network: NetworkProcess): Promise<string> {
  await network.end()
  const boots: number[] = []
  for (let boot = 0; boot < 5; boot++) {
    await host.killDockerd('SIGKILL')
    const from = performance.now()
    await host.startDockerd()
    boots.push(performance.now() - from)
  }
  return median(boots).toFixed(0)
}

const blockIn = (pool: string): string => pool.replace('.0.0/16', '.1.0/24')

/** As on a node: the agent has said who may have which address. */
async function prepare(host: LabHost, pool: string): Promise<string> {
  const address = blockIn(pool).replace('.0/24', '.10')
  const instance = { instance: 'shop.production.web-1', app: 'shop', pool: 'production', address }
  await createNetdFiles(join(host.dir, 'berth')).writeInstances([instance])
  return address
}

async function startNetd(host: LabHost): Promise<SpawnedProcess> {
  const script = fileURLToPath(new URL('../../e2e/network/netd-process.ts', import.meta.url))
  const netd = await host.spawn([process.execPath, script, '/var/lib/berth', '/run/berth'])
  await until('netd to serve Docker', () => existsSync(join(host.dir, 'run/docker/plugins/berth.sock')), 20_000)
  return netd
}

async function measure(host: LabHost, address: string, { signal, log }: FigureContext): Promise<FigureResult> {
  await using client = new DockerClient(host.dockerHost.replace('unix://', ''), pino({ level: 'silent' }))
  const body = { Name: 'plain', Driver: 'bridge' }
  await client.json({ action: 'create a network', method: 'POST', path: '/networks/create', body, signal })
  const samples: { ours: number; peer: number }[] = []
  for (let pair = 1 - warmUpPairs; pair <= pairs && !signal.aborted; pair++) {
    // Now the one first, now the other: whatever the first has to do for both is shared fairly.
    const peerFirst = pair % 2 === 0
    const early = peerFirst ? await startMs(client, 'plain') : undefined
    const ours = await startMs(client, 'berth', address)
    const peer = early ?? (await startMs(client, 'plain'))
    if (pair > 0) samples.push({ ours, peer })
    if (pair > 0 && pair % 10 === 0) log(`pair ${pair} of ${pairs}`)
  }
  return judge(samples)
}

function judge(samples: readonly { readonly ours: number; readonly peer: number }[]): FigureResult {
  const [ours, peers] = [samples.map((each) => each.ours), samples.map((each) => each.peer)]
  const ratio = median(ours) / median(peers)
  return {
    ...{ ours: median(ours), peer: median(peers), ratio, ok: ratio <= maxRatio, samples: ours },
    notes: [`p95 ${percentile(ours, 95).toFixed(0)} ms, bridge ${percentile(peers, 95).toFixed(0)} ms`],
  }
}

/** The container is made before and removed after the time that counts. */
async function startMs(client: DockerClient, network: string, address?: string): Promise<number> {
  const endpoint = address === undefined ? {} : { IPAMConfig: { IPv4Address: address } }
  const { Id: id } = await client.json<{ Id: string }>({
    ...{ action: 'create a container', method: 'POST', path: '/containers/create' },
    body: {
      ...{ Image: BASE_IMAGE, Cmd: ['sleep', '600'] },
      HostConfig: { NetworkMode: network },
      NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
    },
  })
  try {
    const from = performance.now()
    await client.json({ action: 'start a container', method: 'POST', path: `/containers/${id}/start` })
    return performance.now() - from
  } finally {
    const query = { force: true }
    await client.json({ action: 'remove a container', method: 'DELETE', path: `/containers/${id}`, query })
  }
}
