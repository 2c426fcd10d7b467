import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../../e2e/support/load.ts'
import { type BirdConfigInput, bgpTable, renderBirdConfig } from '../../packages/core/src/network/bgp-config.ts'
import { type Place, runAt, startAt } from './place.ts'

/** How many routes are in the table that nodes learn theirs into, without listing them. */
export async function routeCount(place: Place): Promise<number> {
  const tables = await runAt(place, ['cat', '/proc/net/fib_triestat'])
  const own = tables.split(/^(?=\w.*:$)/m).find((each) => each.startsWith(`Id ${bgpTable}:`))
  return Number(/Prefixes:\s+(\d+)/.exec(own ?? '')?.[1] ?? 0)
}

/** BIRD as it runs on a node, with a node's configuration. */
export async function startBird(
  place: Place,
  peer: Place,
  own: Pick<BirdConfigInput, 'pools' | 'blocks'>,
): Promise<void> {
  const at = (name: string): string => join('/run', `bird.${name}`)
  const as = 64_512
  const text = renderBirdConfig({
    ...own,
    routing: {
      ...{ mode: 'bgp', as, address: place.address, reflects: false },
      sessions: [{ with: 'node', name: peer.host.name, address: peer.address, as }],
    },
    away: [],
    source: place.address,
    logPath: at('log'),
  })
  await writeFile(join(place.host.dir, 'run/bird.conf'), text)
  await startAt(place, ['bird', '-f', '-c', at('conf'), '-s', at('control'), '-P', at('pid')])
}

export interface Told {
  /** From the start of the BIRD that tells them: it reads its configuration, and the two find each other. */
  readonly wholeMs: number
  /** From the first route in the kernel. */
  readonly loadMs: number
}

/** Times until the kernel has as many routes. */
export async function untilTold(place: Place, wanted: number, tell: () => Promise<void>): Promise<Told> {
  const start = performance.now()
  await tell()
  const countOf = async (least: number): Promise<number> => {
    await until(`${least} routes`, async () => (await routeCount(place)) >= least, 120_000)
    return performance.now()
  }
  const first = await countOf(1)
  const last = await countOf(wanted)
  return { wholeMs: last - start, loadMs: last - first }
}
