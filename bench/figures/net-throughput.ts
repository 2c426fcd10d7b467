import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { startBarePlaces } from '../network/bare-places.ts'
import { type OverlayPlaces, startOverlayPlaces } from '../network/overlay-places.ts'
import type { Place } from '../network/place.ts'
import { loadNote } from '../network/processor-time.ts'
import { startRoutedPlaces } from '../network/routed-places.ts'
import { type Path, questionBytes, roundTripUs, type Stream, startReceivers, stream } from '../network/traffic.ts'

const rounds = 9
const seconds = 2
const [large, small] = [20_000, 500]
const minThroughput = 0.95
const maxProcessor = 1.15
const maxRoundTrip = 1.1

/** Between two hosts of one lab: no wire limits anything, so what is compared is what either path costs. */
export const figure: Figure = {
  name: 'net-throughput',
  description: `TCP from a container to one of another host in routed mode, messages of ${large} bytes, median of ${rounds}`,
  unit: 'Gb/s',
  peer: 'the same from host to host',
  target: `>= ${minThroughput}, with ${small} bytes too; processor time a gigabit <= ${maxProcessor}, round trip <= ${maxRoundTrip}`,
  async run(context) {
    await using routed = await startRoutedPlaces(2)
    await using bare = await startBarePlaces(context.signal)
    await using overlay = await tryOverlay(context)
    const paths: Paths = {
      ours: pathOf(routed.containers),
      hosts: pathOf(routed.hosts),
      bare: pathOf(bare.places),
      ...(overlay.containers.length === 0 ? {} : { overlay: pathOf(overlay.containers) }),
    }
    for (const path of Object.values(paths)) await startReceivers(path)
    return report(await measure(paths, context), overlay.reason)
  },
}

type Way = 'ours' | 'hosts' | 'bare' | 'overlay'
type Paths = Readonly<Partial<Record<Way, Path>>>

interface Sample {
  readonly large: Stream
  readonly small: Stream
  readonly roundTripUs: number
}

type Round = Readonly<Partial<Record<Way, Sample>>>

function pathOf([from, to]: readonly Place[]): Path {
  if (from === undefined || to === undefined) throw new Error('a path has two ends')
  return { from, to }
}

/** A kernel without VXLAN has no overlays: then there is nothing beside ours, and the figure says why. */
async function tryOverlay({ signal, log }: FigureContext): Promise<OverlayPlaces & { readonly reason?: string }> {
  try {
    return await startOverlayPlaces(signal)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log(`no overlay of Docker: ${reason}`)
    return { containers: [], reason, [Symbol.asyncDispose]: async () => {} }
  }
}

async function measure(paths: Paths, { signal, log }: FigureContext): Promise<readonly Round[]> {
  const ways = Object.entries(paths) as [Way, Path][]
  const done: Round[] = []
  for (let round = 0; round < rounds && !signal.aborted; round++) {
    const samples: Partial<Record<Way, Sample>> = {}
    // Each begins in turn: what the machine does besides is shared fairly.
    for (const [way, path] of ways.map((_, index) => ways[(index + round) % ways.length] as (typeof ways)[number]))
      samples[way] = await sample(path)
    done.push(samples)
    log(`round ${round + 1} of ${rounds}: ${ways.map(([way]) => `${way} ${inWords(samples[way])}`).join('; ')}`)
  }
  return done
}

const sample = async (path: Path): Promise<Sample> => ({
  large: await stream(path, large, seconds),
  small: await stream(path, small, seconds),
  roundTripUs: await roundTripUs(path, 1),
})

const inWords = (found: Sample | undefined): string =>
  found === undefined
    ? 'nothing'
    : `${found.large.gigabitsPerSecond.toFixed(2)} and ${found.small.gigabitsPerSecond.toFixed(2)} Gb/s, ${found.roundTripUs.toFixed(1)} µs`

const readings: Readonly<Record<string, (of: Sample) => number>> = {
  large: (of) => of.large.gigabitsPerSecond,
  small: (of) => of.small.gigabitsPerSecond,
  largeProcessor: (of) => of.large.processorMsPerGigabit,
  smallProcessor: (of) => of.small.processorMsPerGigabit,
  roundTrip: (of) => of.roundTripUs,
}

function report(done: readonly Round[], noOverlay: string | undefined): FigureResult {
  const of = (way: Way, reading: string): number =>
    median(done.flatMap((round) => (round[way] === undefined ? [] : (readings[reading]?.(round[way]) ?? []))))
  const ratio = (reading: string): number => of('ours', reading) / of('hosts', reading)
  const beside = (reading: string, unit: string, digits: number): string => {
    const at = (way: Way): string => of(way, reading).toFixed(digits)
    const overlay = noOverlay === undefined ? `, Docker's overlay ${at('overlay')}` : ''
    return `${ratio(reading).toFixed(3)} (${at('ours')} and ${at('hosts')} ${unit}; a bare link and route ${at('bare')}${overlay})`
  }
  return {
    ...{ ours: of('ours', 'large'), peer: of('hosts', 'large'), ratio: ratio('large') },
    ok:
      Math.min(ratio('large'), ratio('small')) >= minThroughput &&
      Math.max(ratio('largeProcessor'), ratio('smallProcessor')) <= maxProcessor &&
      ratio('roundTrip') <= maxRoundTrip,
    samples: done.flatMap((round) => (round.ours === undefined ? [] : [round.ours.large.gigabitsPerSecond])),
    notes: [
      `messages of ${large} bytes: ${beside('large', 'Gb/s', 2)}; processor time ${beside('largeProcessor', 'ms a gigabit', 1)}`,
      `messages of ${small} bytes: ${beside('small', 'Gb/s', 2)}; processor time ${beside('smallProcessor', 'ms a gigabit', 1)}`,
      `question and answer of ${questionBytes} bytes, p50: ${beside('roundTrip', 'µs', 1)}`,
      ...(noOverlay === undefined ? [] : [`no overlay of Docker beside it: ${noOverlay}`]),
      loadNote(),
    ],
  }
}
