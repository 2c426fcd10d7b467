import type { GateSpec, MeasuredGate } from '../model/stage-spec.ts'
import { specDefaults } from './defaults.ts'
import { parseShare } from './quantities.ts'
import { given, readCount, readDuration } from './read-values.ts'
import type { Amount, GateDocument, StageDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Each is kept in the rollout's record. */
const mostGates = 10
const mostQueryLength = 1000
const dayMs = 86_400_000

export function canonicalGates(issues: IssueList, at: SpecPath, gates: StageDocument['gates']): readonly GateSpec[] {
  if ((gates?.length ?? 0) > mostGates) issues.add(at, `${gates?.length} gates are too many: at most ${mostGates}`)
  return [...given(gates)].flatMap(([index, each]) => canonicalGate(issues, [...at, index], each) ?? [])
}

const kinds = ['health', 'person', 'job', 'errors', 'p50', 'p95', 'p99', 'lost', 'query'] as const
type Kind = (typeof kinds)[number]
const waysToWrite = 'write `person`, or one such as {health: 2m} or {errors: 1%, over: 5m}'
/** Of which kinds each further key is. */
const further: Readonly<Record<'over' | 'onNoData' | 'requests' | 'below' | 'above', readonly Kind[]>> = {
  over: ['errors', 'p50', 'p95', 'p99', 'lost', 'query'],
  onNoData: ['errors', 'p50', 'p95', 'p99', 'lost', 'query'],
  requests: ['errors', 'p50', 'p95', 'p99', 'lost'],
  below: ['query'],
  above: ['query'],
}

function canonicalGate(issues: IssueList, at: SpecPath, document: string | GateDocument): GateSpec | undefined {
  if (typeof document === 'string') {
    if (document === 'person') return { type: 'person' }
    issues.add(at, `there is no gate "${document}"`, { suggestion: waysToWrite })
    return undefined
  }
  const [kind, ...others] = kinds.filter((each) => document[each] !== undefined)
  if (kind === undefined || others.length > 0) {
    const message =
      kind === undefined ? 'the gate says nothing to wait for' : `${[kind, ...others].join(' and ')} are two gates`
    issues.add(at, message, { suggestion: kind === undefined ? waysToWrite : 'write each as an item of its own' })
    return undefined
  }
  for (const [key, which] of Object.entries(further))
    if (document[key as keyof typeof further] !== undefined && !which.includes(kind))
      issues.add([...at, key], `a gate of \`${kind}\` has no \`${key}\``, { atKey: true, suggestion: 'leave it out' })
  return readGate(issues, at, kind, document)
}

function readGate(issues: IssueList, at: SpecPath, kind: Kind, document: GateDocument): GateSpec | undefined {
  switch (kind) {
    case 'person':
      if (document.person === true) return { type: 'person' }
      issues.add([...at, 'person'], 'a gate that waits for nobody is none', { suggestion: 'leave it out' })
      return undefined
    case 'job':
      // Whether there is one is looked at with all entrypoints at hand.
      return { type: 'job', job: document.job ?? '' }
    case 'health': {
      const forMs = readDuration(issues, [...at, 'health'], document.health, undefined, { min: 1000, max: dayMs })
      return forMs === undefined ? undefined : { type: 'health', forMs }
    }
    case 'errors': {
      const most = readErrors(issues, [...at, 'errors'], document.errors)
      const { requests } = specDefaults.gate
      return most === undefined
        ? undefined
        : { type: 'errors', most, ...counted(issues, at, document, requests), ...measured(issues, at, document) }
    }
    case 'lost': {
      const most = readCount(issues, [...at, 'lost'], document.lost, 0, { max: 1_000_000 })
      return { type: 'lost', most, ...counted(issues, at, document, 1), ...measured(issues, at, document) }
    }
    case 'query':
      return readQuery(issues, at, document)
    default: {
      const mostMs = readDuration(issues, [...at, kind], document[kind], undefined, { min: 1, max: 10_000 })
      const { requests } = specDefaults.gate
      return mostMs === undefined
        ? undefined
        : {
            ...{ type: 'latency', quantile: kind, mostMs },
            ...counted(issues, at, document, requests),
            ...measured(issues, at, document),
          }
    }
  }
}

const readErrors = (issues: IssueList, at: SpecPath, value: Amount | undefined): number | undefined =>
  value === '0%' ? 0 : issues.take(at, parseShare(String(value)))

const counted = (
  issues: IssueList,
  at: SpecPath,
  { requests }: GateDocument,
  fallback: number,
): { readonly requests: number } => ({
  requests: readCount(issues, [...at, 'requests'], requests, fallback, { min: 1, max: 1_000_000 }),
})

const measured = (issues: IssueList, at: SpecPath, { over, onNoData = 'hold' }: GateDocument): MeasuredGate => ({
  overMs: readDuration(issues, [...at, 'over'], over, specDefaults.gate.overMs, { min: 1000, max: 3_600_000 }),
  onNoData,
})

function readQuery(issues: IssueList, at: SpecPath, document: GateDocument): GateSpec | undefined {
  const { query = '', below, above } = document
  if (query.trim() === '') issues.add([...at, 'query'], 'the query is empty')
  if (query.length > mostQueryLength)
    issues.add([...at, 'query'], `the query is ${query.length} characters long: at most ${mostQueryLength}`)
  if ((below === undefined) === (above === undefined)) {
    issues.add(at, 'a query is compared with one number', { suggestion: 'write either `below` or `above`' })
    return undefined
  }
  const name = below === undefined ? 'above' : 'below'
  const number = readNumber(issues, [...at, name], below ?? above)
  if (number === undefined) return undefined
  return { type: 'query', query, [name]: number, ...measured(issues, at, document) }
}

function readNumber(issues: IssueList, at: SpecPath, value: Amount | undefined): number | undefined {
  if (/^-?[0-9]{1,15}(\.[0-9]{1,15})?$/.test(String(value))) return Number(value)
  issues.add(at, `"${value}" is not a number`, { suggestion: 'write one such as 0.05' })
  return undefined
}
