import type { Sizes } from '../model/sizes.ts'
import { formatCpu } from '../spec/quantities.ts'
import type { Usage } from './usage.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Shorter than this says nothing about a service. */
export const leastObservationMs = hourMs

export interface AdviceInput {
  readonly asked: Sizes
  /** Absent: it is not a number that one sets (jobs, services on every node). */
  readonly replicas?: number
  /** Thousandths in one piece of a core where it runs. */
  readonly pieceMilli: number
  /** Absent: nothing was seen of it. */
  readonly usage?: Usage
  /** What a sample stands for. */
  readonly sampleMs: number
  readonly leastMs: number
}

/** How much a value may be relied on, by the length of the observation: a week has seen every day of it. */
export type Confidence = 'low' | 'medium' | 'high'

export type Advice =
  | { readonly kind: 'wait'; readonly moreMs: number; readonly reasons: readonly string[] }
  | {
      /** `keep`: what it asks for is right. */
      readonly kind: 'keep' | 'change'
      readonly cpuMilli: number
      readonly memoryBytes: number
      /** As good: the sizes that it has, and so many instances. */
      readonly replicasInstead?: number
      readonly reasons: readonly string[]
      readonly confidence: Confidence
    }

/**
 * The right size by what was used. More use never gives less: CPU is what is enough for 95 % of the time and 30 % more, at least for 99 %;
 * memory is the most that was ever used and 20 % more. A limit that was met says that more is needed than could be seen.
 */
export function advise(input: AdviceInput): Advice {
  const { usage, asked } = input
  const tooShort = shortOf(input)
  if (usage === undefined || tooShort !== undefined)
    return tooShort ?? { kind: 'wait', moreMs: input.leastMs, reasons: [] }
  const need = neededCpu(input, usage)
  const cpuMilli = rightSize(asked.cpuMilli, need, { steps: cpuSteps, piece: input.pieceMilli, least: leastCpuMilli })
  const memory = { steps: memorySteps, piece: 1, least: leastMemoryBytes }
  const memoryBytes = rightSize(asked.memoryBytes, neededMemory(asked, usage), memory)
  const isSame = cpuMilli === asked.cpuMilli && memoryBytes === asked.memoryBytes
  const instead = replicasFor(input, need)
  return {
    kind: isSame ? 'keep' : 'change',
    ...{ cpuMilli, memoryBytes, reasons: reasonsOf(asked, usage), confidence: confidenceOf(usage) },
    ...(instead === undefined ? {} : { replicasInstead: instead }),
  }
}

function shortOf({ usage, leastMs, sampleMs }: AdviceInput): Advice | undefined {
  if (usage === undefined) return { kind: 'wait', moreMs: leastMs, reasons: ['nothing was seen of it yet'] }
  const seenMs = usage.lastAt - usage.firstAt
  // Of a job that runs now and then, what counts is how long it ran.
  const ranMs = usage.samples * sampleMs
  const moreMs = Math.max(leastMs - seenMs, Math.ceil(leastMs / 2) - ranMs)
  return moreMs <= 0 ? undefined : { kind: 'wait', moreMs, reasons: ['it was not observed for long enough'] }
}

/** Met in more than a twentieth of the periods: it would have used more. */
const throttledAboveMilli = 50

function neededCpu({ asked, pieceMilli }: AdviceInput, usage: Usage): number {
  const used = Math.max(Math.ceil((usage.cpuP95Milli * 13) / 10), usage.cpuP99Milli, pieceMilli)
  const isHeldBack = usage.throttledMilli > throttledAboveMilli
  return isHeldBack ? Math.max(used, Math.ceil(((asked.cpuMilli ?? 0) * 5) / 4)) : used
}

function neededMemory(asked: Sizes, usage: Usage): number {
  const used = Math.ceil((usage.memoryMaxBytes * 6) / 5)
  return usage.outOfMemory > 0 ? Math.max(used, Math.ceil(((asked.memoryBytes ?? 0) * 3) / 2)) : used
}

/** Up to this value in steps of that. Each is a multiple of the one before, so that rounding up keeps the order. */
type Steps = readonly (readonly [below: number, step: number])[]

const cpuSteps: Steps = [
  [100, 10],
  [1000, 50],
  [Number.POSITIVE_INFINITY, 100],
]
const mebibyte = 2 ** 20
const memorySteps: Steps = [
  [1024 * mebibyte, 16 * mebibyte],
  [8192 * mebibyte, 128 * mebibyte],
  [Number.POSITIVE_INFINITY, 512 * mebibyte],
]

/** Nobody is advised to go below this: with less a program may be busy all day, but takes minutes to start. */
const leastCpuMilli = 50
const leastMemoryBytes = 32 * mebibyte

interface Scale {
  readonly steps: Steps
  readonly piece: number
  readonly least: number
}

/** A little less than what is asked for is no reason to change anything, and neither is having asked for very little. */
function rightSize(asked: number | undefined, need: number, { steps, piece, least }: Scale): number {
  if (asked !== undefined && asked <= least && need <= asked) return asked
  const right = roundUp(Math.max(need, Math.min(least, asked ?? least)), steps, piece)
  return asked !== undefined && right <= asked && right * 20 >= asked * 17 ? asked : right
}

function roundUp(value: number, steps: Steps, piece: number): number {
  const step = Math.max(piece, steps.find(([below]) => value <= below)![1])
  return Math.max(1, Math.ceil(value / step)) * step
}

/** As many of the size asked for as have what all of them need; never one where there were more. */
function replicasFor({ asked, replicas }: AdviceInput, need: number): number | undefined {
  if (replicas === undefined || replicas === 0 || asked.cpuMilli === undefined) return undefined
  const enough = Math.max(Math.min(2, replicas), Math.ceil((replicas * need) / asked.cpuMilli))
  return enough === replicas ? undefined : enough
}

function confidenceOf({ firstAt, lastAt }: Usage): Confidence {
  const days = (lastAt - firstAt) / dayMs
  return days >= 6.5 ? 'high' : days >= 1 ? 'medium' : 'low'
}

function reasonsOf(asked: Sizes, usage: Usage): string[] {
  const { cpuP95Milli, cpuMaxMilli, memoryMaxBytes, throttledMilli, outOfMemory } = usage
  const of = (amount: string | undefined): string => (amount === undefined ? ', nothing asked for' : ` of ${amount}`)
  const memory = (bytes: number): string => `${Math.ceil(bytes / mebibyte)}Mi`
  const cpuAsked = asked.cpuMilli === undefined ? undefined : formatCpu(asked.cpuMilli)
  return [
    `CPU: 95 % of the time at most ${cores(cpuP95Milli)}${of(cpuAsked)}, never above ${cores(cpuMaxMilli)}`,
    `memory: never above ${memory(memoryMaxBytes)}${of(asked.memoryBytes === undefined ? undefined : memory(asked.memoryBytes))}`,
    ...(throttledMilli > throttledAboveMilli
      ? [`held back by its CPU limit in ${Math.round(throttledMilli / 10)} % of the periods`]
      : []),
    ...(outOfMemory > 0 ? [`out of memory ${outOfMemory === 1 ? 'once' : `${outOfMemory} times`}`] : []),
  ]
}

const cores = (milli: number): string => (milli === 0 ? '0' : formatCpu(milli))
