import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'
import { type Gates, gatePort, markPort, nowMs, watchGates } from '../network/gate.ts'
import { loadNote } from '../network/processor-time.ts'
import { type RoutedPlaces, startRoutedPlaces } from '../network/routed-places.ts'

const hosts = 3
const changes = 120
const warmUpChanges = 4
const maxP99Ms = 100

/** Real packets say when: the first that passes, or the first that is dropped, on the last of the hosts. */
export const figure: Figure = {
  name: 'policy-change',
  description: `a profile is changed by the API until packets meet it so on each of ${hosts} hosts, p99 of ${changes} changes`,
  unit: 'ms',
  peer: 'none',
  peerKind: 'none',
  target: `< ${maxP99Ms}`,
  async run(context) {
    await using places = await startRoutedPlaces(hosts, {
      profiles: [profile],
      beforeDeploy: (api) => change(api, true),
    })
    await using gates = watchGates(places.containers)
    await gates.met('open')
    return report(await measure(places, gates, context))
  },
}

const profile = 'gate'

const change = async ({ client }: RoutedPlaces['cluster'], isOpen: boolean): Promise<void> => {
  const inbound = [`udp:${markPort}`, ...(isOpen ? [`udp:${gatePort}`] : [])]
  const params = { name: profile }
  await client.call('putProfile', { params, body: { name: profile, inbound, outbound: ['allow'] } })
}

interface Change {
  readonly opens: boolean
  /** Of the call itself. */
  readonly answeredMs: number
  readonly inForceMs: number
}

async function measure({ cluster }: RoutedPlaces, gates: Gates, context: FigureContext): Promise<readonly Change[]> {
  const done: Change[] = []
  for (let number = 1 - warmUpChanges; number <= changes && !context.signal.aborted; number++) {
    const opens = number % 2 === 0
    const from = nowMs()
    await change(cluster, opens)
    const answered = nowMs()
    const met = await gates.met(opens ? 'open' : 'closed')
    if (number > 0) done.push({ opens, answeredMs: answered - from, inForceMs: Math.max(...met) - from })
    if (number > 0 && number % 20 === 0)
      context.log(`${number} of ${changes}: the last took ${Math.round(done.at(-1)?.inForceMs ?? 0)} ms`)
  }
  return done
}

function report(done: readonly Change[]): FigureResult {
  const times = done.map((each) => each.inForceMs)
  const ours = percentile(times, 99)
  const of = (opens: boolean): string => {
    const some = done.filter((each) => each.opens === opens).map((each) => each.inForceMs)
    return `${median(some).toFixed(1)} and ${percentile(some, 99).toFixed(1)} ms`
  }
  return {
    ...{ ours, peer: maxP99Ms, ratio: ours / maxP99Ms, ok: ours < maxP99Ms, samples: times },
    notes: [
      `p50 ${median(times).toFixed(1)} ms; p50 and p99 of what lets in ${of(true)}, of what shuts out ${of(false)}`,
      `the call itself was answered in ${median(done.map((each) => each.answeredMs)).toFixed(1)} ms (p50)`,
      loadNote(),
    ],
  }
}
