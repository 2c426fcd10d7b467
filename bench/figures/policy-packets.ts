import { until } from '../../e2e/support/load.ts'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { runAt } from '../network/place.ts'
import { loadNote } from '../network/processor-time.ts'
import { type RoutedPlaces, startRoutedPlaces } from '../network/routed-places.ts'
import { connectUs, type Path, packetUs, startConnectable, startReceivers } from '../network/traffic.ts'

const rules = 1000
const pairs = 11
const maxRatio = 1.05

/** What belongs to a known connection passes before any rule is asked; what the rules cost is paid by the first packet of each. */
export const figure: Figure = {
  name: 'policy-packets',
  description: `processor time of a packet from container to container, both with a profile of ${rules} rules each way of which the last lets it pass`,
  unit: 'µs',
  peer: 'the same two without any profile',
  target: `<= ${maxRatio}`,
  async run(context) {
    await using places = await startRoutedPlaces(2)
    const [from, to] = places.containers
    if (from === undefined || to === undefined) throw new Error('a path has two ends')
    await startReceivers({ from, to })
    await startConnectable({ from, to })
    return report(await measure(places, { from, to }, context))
  },
}

interface Cost {
  readonly packetUs: number
  readonly connectUs: number
}

interface Pair {
  readonly ours: Cost
  readonly peer: Cost
}

async function measure(places: RoutedPlaces, path: Path, { signal, log }: FigureContext): Promise<readonly Pair[]> {
  const done: Pair[] = []
  for (let pair = 0; pair < pairs && !signal.aborted; pair++) {
    const early = pair % 2 === 0 ? await costWithout(places, path) : undefined
    const ours = await costWith(places, path)
    done.push({ ours, peer: early ?? (await costWithout(places, path)) })
    log(`pair ${pair + 1} of ${pairs}: ${inWords(ours)}, without ${inWords(done.at(-1)?.peer ?? ours)}`)
  }
  return done
}

const inWords = (cost: Cost): string => `${cost.packetUs.toFixed(2)} and ${cost.connectUs.toFixed(1)} µs`

async function costWith(places: RoutedPlaces, path: Path): Promise<Cost> {
  // None of the first ones is the packets' own.
  const some = Array.from({ length: rules - 1 }, (_, index) => `tcp:${20_000 + index}`)
  const inbound = some.map((each, index) => `${each} from 192.0.2.${index % 256}/32`)
  const outbound = some.map((each, index) => `deny ${each} to 192.0.2.${index % 256}/32`)
  const body = { name: 'default', inbound: [...inbound, 'allow'], outbound: [...outbound, 'allow'] }
  await places.cluster.client.call('putProfile', { params: { name: 'default' }, body })
  await untilTable(places, true)
  return await cost(path)
}

async function costWithout(places: RoutedPlaces, path: Path): Promise<Cost> {
  const { items } = await places.cluster.client.list('listProfiles')
  if (items.length > 0) await places.cluster.client.call('removeProfile', { params: { name: 'default' } })
  await untilTable(places, false)
  return await cost(path)
}

const cost = async (path: Path): Promise<Cost> => ({
  packetUs: await packetUs(path, 3),
  connectUs: await connectUs(path, 2000),
})

/** On every host, with as many rules as there are to be. */
const untilTable = async ({ hosts }: RoutedPlaces, wanted: boolean): Promise<void> => {
  for (const host of hosts)
    await until(`${wanted ? 'the' : 'no'} table on ${host.host.name}`, async () => {
      const listed = await runAt(host, ['nft', 'list', 'ruleset', 'inet'])
      return wanted ? listed.split('192.0.2.').length > 2 * (rules - 1) : !listed.includes('table inet berth-policy')
    })
}

function report(done: readonly Pair[]): FigureResult {
  const of = (side: keyof Pair, what: keyof Cost): number => median(done.map((each) => each[side][what]))
  const ratioOf = (what: keyof Cost): number => median(done.map(({ ours, peer }) => ours[what] / peer[what]))
  const ratio = ratioOf('packetUs')
  return {
    ...{ ours: of('ours', 'packetUs'), peer: of('peer', 'packetUs'), ratio, ok: ratio <= maxRatio },
    samples: done.map(({ ours }) => ours.packetUs),
    notes: [
      `a new connection by TCP, which is what asks the ${rules} rules: ${of('ours', 'connectUs').toFixed(1)} and ${of('peer', 'connectUs').toFixed(1)} µs until it stands (${ratioOf('connectUs').toFixed(2)})`,
      loadNote(),
    ],
  }
}
