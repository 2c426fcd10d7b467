import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatAddress, parseAddress } from '../../packages/core/src/network/address-block.ts'
import { bgpTable } from '../../packages/core/src/network/bgp-config.ts'
import { createLab, type LabHost } from '../../packages/lab/src/index.ts'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { lookUpsPerSecond } from '../network/look-ups.ts'
import { type Place, runAt } from '../network/place.ts'
import { loadNote } from '../network/processor-time.ts'
import { routeCount, startBird, type Told, untilTold } from '../network/told-routes.ts'

const many = 100_000
const few = 10
const rounds = 11
const lookUps = 300_000
/** A look-up is at most twice as dear. */
const minRatio = 0.5
/** Room for all of them; the hosts' own addresses are outside. */
const pool = '10.0.0.0/15'
const base = parseAddress('10.0.0.1')

/** Each route is one address's: nothing is summed up to blocks. */
export const figure: Figure = {
  name: 'routes-100k',
  description: `look-ups of random addresses with ${many} routes in the table that nodes learn theirs into`,
  unit: 'look-ups/s',
  peer: `the same with ${few} routes`,
  target: `>= ${minRatio}`,
  async run(context) {
    const bare = { startDockerd: false }
    await using lab = await createLab({
      hosts: ['many', 'few', 'teller', 'told'].map((name) => ({ ...bare, name })),
      signal: context.signal,
    })
    const at = (name: string): Place => ({ host: lab.host(name), address: lab.host(name).address })
    const batchMs = await addRoutes(at('many'), at('teller'), many)
    context.log(`${many} routes by ip -batch: ${batchMs.toFixed(0)} ms`)
    await addRoutes(at('few'), at('teller'), few)
    const told = await learn(at('told'), at('teller'))
    context.log(`by BGP: ${told.loadMs.toFixed(0)} ms`)
    const samples = await measure(at('many'), at('few'), context)
    return report(samples, [
      `loaded by ip -batch in ${batchMs.toFixed(0)} ms; by BIRD in ${told.loadMs.toFixed(0)} ms from the first route in the kernel to the last, ${told.wholeMs.toFixed(0)} ms from the start of the BIRD that tells them`,
      loadNote(),
    ])
  },
}

const addresses = (count: number): string[] => Array.from({ length: count }, (_, index) => formatAddress(base + index))

async function askTable(place: Place): Promise<void> {
  await runAt(place, ['ip', 'rule', 'add', 'to', pool, 'lookup', String(bgpTable), 'priority', '1077'])
}

/** Returns how long the kernel took, with ip's reading of them. */
async function addRoutes(place: Place, via: Place, count: number): Promise<number> {
  await askTable(place)
  const lines = addresses(count).map((each) => `route add ${each}/32 via ${via.address} table ${bgpTable}\n`)
  await writeFile(inRun(place.host, 'routes'), lines.join(''))
  const from = performance.now()
  await runAt(place, ['ip', '-batch', '/run/routes'])
  const took = performance.now() - from
  const there = await routeCount(place)
  if (there !== count) throw new Error(`${place.host.name} has ${there} routes, not ${count}`)
  return took
}

const inRun = (host: LabHost, name: string): string => join(host.dir, 'run', name)

/** Two nodes' BIRDs, of which one tells every address as a block of its own. */
async function learn(place: Place, teller: Place): Promise<Told> {
  await startBird(place, teller, { pools: [pool], blocks: ['10.1.255.0/24'] })
  const blocks = addresses(many).map((each) => `${each}/32`)
  return await untilTold(place, many, () => startBird(teller, place, { pools: [pool], blocks }))
}

interface Sample {
  readonly ours: number
  readonly peer: number
}

async function measure(ours: Place, peer: Place, { signal, log }: FigureContext): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  for (let round = 1; round <= rounds && !signal.aborted; round++) {
    const early = round % 2 === 0 ? await lookUpsPerSecond(peer, base, few, lookUps) : undefined
    const own = await lookUpsPerSecond(ours, base, many, lookUps)
    samples.push({ ours: own, peer: early ?? (await lookUpsPerSecond(peer, base, few, lookUps)) })
  }
  log(`${samples.length} rounds`)
  return samples
}

function report(samples: readonly Sample[], notes: readonly string[]): FigureResult {
  const ratio = median(samples.map((each) => each.ours / each.peer))
  return {
    ...{ ours: median(samples.map((each) => each.ours)), peer: median(samples.map((each) => each.peer)), ratio },
    ...{ ok: ratio >= minRatio, samples: samples.map((each) => each.ours), notes },
  }
}
