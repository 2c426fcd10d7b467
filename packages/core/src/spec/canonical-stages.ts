import type { InstanceShare } from '../model/instance-share.ts'
import type { GateSpec, StageSpec } from '../model/stage-spec.ts'
import { readShare } from './read-share.ts'
import { given, readDuration } from './read-values.ts'
import type { GateDocument, RolloutDocument, StageDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Each is kept in the rollout's record. */
const mostStages = 20
const mostGates = 10
const mostNameLength = 60
const dayMs = 86_400_000

/** undefined where nothing was written. What is not about all instances is followed by a stage that is. */
export function canonicalStages(
  issues: IssueList,
  at: SpecPath,
  stages: RolloutDocument['stages'],
): readonly StageSpec[] | undefined {
  if (stages === undefined) return undefined
  if (stages.length > mostStages) issues.add(at, `${stages.length} stages are too many: at most ${mostStages}`)
  const written = [...given(stages)].map(([index, each]) => canonicalStage(issues, [...at, index], each))
  refuseBackwards(issues, at, written)
  const last = written.at(-1)
  if (last === undefined || last.instances === undefined) return written
  return [...written, { name: 'all', gates: [] }]
}

function canonicalStage(issues: IssueList, at: SpecPath, document: StageDocument): StageSpec {
  const instances = readShare(issues, [...at, 'instances'], document.instances, undefined)
  if (instances !== undefined && isNone(instances))
    issues.add([...at, 'instances'], 'a stage without an instance of the new release shows nothing', {
      suggestion: 'write 1 or more',
    })
  return {
    name: readName(issues, [...at, 'name'], document.name) ?? nameOf(instances),
    ...(instances === undefined ? {} : { instances }),
    gates: canonicalGates(issues, [...at, 'gates'], document.gates),
  }
}

const isNone = (share: InstanceShare): boolean => (typeof share === 'number' ? share : share.percent) === 0

function readName(issues: IssueList, at: SpecPath, name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  if (name.trim() === '') issues.add(at, 'the name is empty', { suggestion: 'leave it out' })
  else if (name.length > mostNameLength)
    issues.add(at, `the name is ${name.length} characters long: at most ${mostNameLength}`)
  else if (/\p{Cc}/u.test(name)) issues.add(at, 'the name holds a control character')
  else return name
  return undefined
}

function nameOf(instances: InstanceShare | undefined): string {
  if (instances === undefined) return 'all'
  if (typeof instances !== 'number') return `${instances.percent}%`
  return instances === 1 ? '1 instance' : `${instances} instances`
}

/** Of two that can be compared a later stage is about more; only the last one is about all. */
function refuseBackwards(issues: IssueList, at: SpecPath, stages: readonly StageSpec[]): void {
  for (const [index, { instances }] of stages.entries()) {
    const place = [...at, index, 'instances']
    if (instances === undefined && index < stages.length - 1)
      issues.add(place, 'a stage about all instances is the last one', {
        suggestion: 'write how many instances it is about, such as `instances: 25%`',
      })
    const before = stages[index - 1]?.instances
    if (instances === undefined || before === undefined || typeof instances !== typeof before) continue
    if (sizeOf(instances) <= sizeOf(before))
      issues.add(place, 'the stage before it is about as many instances already', {
        suggestion: 'write more than there: the numbers count all new instances, not those of one stage',
      })
  }
}

const sizeOf = (share: InstanceShare): number => (typeof share === 'number' ? share : share.percent)

function canonicalGates(issues: IssueList, at: SpecPath, gates: StageDocument['gates']): readonly GateSpec[] {
  if ((gates?.length ?? 0) > mostGates) issues.add(at, `${gates?.length} gates are too many: at most ${mostGates}`)
  return [...given(gates)].flatMap(([index, each]) => canonicalGate(issues, [...at, index], each) ?? [])
}

const gateKinds = ['health', 'person'] as const
const waysToWrite = 'write `person`, or one such as {health: 2m}'

function canonicalGate(issues: IssueList, at: SpecPath, document: string | GateDocument): GateSpec | undefined {
  if (typeof document === 'string') {
    if (document === 'person') return { type: 'person' }
    issues.add(at, `there is no gate "${document}"`, { suggestion: waysToWrite })
    return undefined
  }
  const kinds = gateKinds.filter((kind) => document[kind] !== undefined)
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1) {
    const message = kind === undefined ? 'the gate says nothing to wait for' : `${kinds.join(' and ')} are two gates`
    issues.add(at, message, { suggestion: kind === undefined ? waysToWrite : 'write each as an item of its own' })
    return undefined
  }
  switch (kind) {
    case 'person':
      if (document.person === false) {
        issues.add([...at, 'person'], 'a gate that waits for nobody is none', { suggestion: 'leave it out' })
        return undefined
      }
      return { type: 'person' }
    case 'health': {
      const forMs = readDuration(issues, [...at, 'health'], document.health, undefined, { min: 1000, max: dayMs })
      return forMs === undefined ? undefined : { type: 'health', forMs }
    }
  }
}
