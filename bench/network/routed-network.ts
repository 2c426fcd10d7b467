import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NetworkProcess } from '../../e2e/network/network-client.ts'
import { until } from '../../e2e/support/load.ts'
import { createNetdFiles } from '../../packages/agent/src/dns/netd-files.ts'
import type { LabHost, SpawnedProcess } from '../../packages/lab/src/index.ts'

const blockIn = (pool: string): string => pool.replace('.0.0/16', '.1.0/24')

/** As on a node: the agent has said which instances may have which address. They are at `.10` and those after it; gives them. */
export async function nameInstances(host: LabHost, pool: string, count: number): Promise<readonly string[]> {
  const addresses = Array.from({ length: count }, (_, index) => blockIn(pool).replace('.0/24', `.${10 + index}`))
  const instances = addresses.map((address, index) => {
    return { instance: `shop.production.web-${index + 1}`, app: 'shop', pool: 'production', address }
  })
  await createNetdFiles(join(host.dir, 'berth')).writeInstances(instances)
  return addresses
}

/** netd as it runs on a node, until it serves Docker. */
export async function startNetd(host: LabHost): Promise<SpawnedProcess> {
  const script = fileURLToPath(new URL('../../e2e/network/netd-process.ts', import.meta.url))
  const netd = await host.spawn([process.execPath, script, '/var/lib/berth', '/run/berth'])
  await until('netd to serve Docker', () => existsSync(join(host.dir, 'run/docker/plugins/berth.sock')), 20_000)
  return netd
}

/** The agent's part: the Docker network `berth`, in routed mode. It is there until `end`, and the network after it. */
export async function startRoutedNetwork(host: LabHost, pool: string): Promise<NetworkProcess> {
  const network = new NetworkProcess(host, undefined, 'routed')
  const config = { pool, block: blockIn(pool), peers: [], domain: 'berth', defaultPool: 'p' }
  const { code, message } = await network.call({ ensure: config })
  if (code === undefined) return network
  await network.end()
  throw new Error(`${code}: ${message}`)
}
