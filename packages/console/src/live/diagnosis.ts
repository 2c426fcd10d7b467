import type { InstanceView } from '@berth/api/instance-resources'
import type { Dictionary } from '../i18n/dictionary.ts'
import { instanceState, type Tone } from './states.ts'

/** Where to look next, the most promising first. */
export type NextStep = 'logs' | 'metrics' | 'terminal' | 'node' | 'nodes' | 'capacity'

export interface Diagnosis {
  readonly tone: Extract<Tone, 'warn' | 'bad'>
  readonly problem: keyof Dictionary['diagnosis']['problems']
  /** What the server or the agent says of it. */
  readonly detail?: string
  readonly next: readonly NextStep[]
}

type Rule = readonly [fits: (instance: InstanceView) => boolean, diagnosis: Omit<Diagnosis, 'detail'>]

const failedExit = ({ lastExit }: InstanceView): boolean => lastExit !== undefined && lastExit.code !== 0
const says = ({ message = '' }: InstanceView, what: RegExp): boolean => what.test(message)
const isOffline = (instance: InstanceView): boolean => says(instance, / is offline/)
/** A run that is not ready, and has not just been started for the first time. */
const struggles = (instance: InstanceView): boolean =>
  instance.phase !== 'ended' &&
  instance.desired === 'run' &&
  !instance.ready &&
  (instance.type === 'service' || instance.restarts > 0 || instance.phase !== 'running')

/** The first that fits explains it. */
const rules: readonly Rule[] = [
  [
    (each) => each.phase === 'ended' && each.desired === 'run' && each.lastExit?.outOfMemory === true,
    { tone: 'bad', problem: 'outOfMemory', next: ['logs', 'metrics'] },
  ],
  [
    (each) => each.phase === 'ended' && each.desired === 'run' && failedExit(each),
    { tone: 'bad', problem: 'failed', next: ['logs'] },
  ],
  [
    (each) => each.phase === 'ended' && each.desired === 'run' && each.lastExit === undefined,
    { tone: 'bad', problem: 'neverRan', next: ['node'] },
  ],
  [(each) => waitsForPlace(each), { tone: 'bad', problem: 'noPlace', next: ['capacity', 'nodes'] }],
  [isOffline, { tone: 'bad', problem: 'nodeOffline', next: ['node'] }],
  [
    (each) => struggles(each) && each.lastExit?.outOfMemory === true,
    { tone: 'bad', problem: 'outOfMemory', next: ['logs', 'metrics'] },
  ],
  [
    (each) => struggles(each) && each.restarts > 1 && failedExit(each),
    { tone: 'bad', problem: 'crashLoop', next: ['logs'] },
  ],
  [(each) => struggles(each) && failedExit(each), { tone: 'bad', problem: 'failed', next: ['logs'] }],
  [
    (each) => struggles(each) && each.phase === 'assigned' && each.message !== undefined,
    { tone: 'warn', problem: 'cannotStart', next: ['node'] },
  ],
  // What its program has said at its socket, in the words of the agent.
  [
    (each) => struggles(each) && says(each, /it says that it is in maintenance/),
    { tone: 'warn', problem: 'inMaintenance', next: ['logs', 'terminal'] },
  ],
  [
    (each) => struggles(each) && says(each, /it says that it is not ready|it has not said at its socket/),
    { tone: 'warn', problem: 'saysNotReady', next: ['logs', 'terminal'] },
  ],
  [
    (each) => struggles(each) && each.phase === 'running' && (each.message !== undefined || each.readyAt !== undefined),
    { tone: 'warn', problem: 'notReady', next: ['logs', 'terminal'] },
  ],
]

/** What is wrong with an instance, as far as it says. undefined when nothing is, or it is only on its way. */
export function diagnose(instance: InstanceView): Diagnosis | undefined {
  const found = rules.find(([fits]) => fits(instance))?.[1]
  if (found === undefined) return undefined
  const detail = plainMessage(instance)
  return detail === undefined ? found : { ...found, detail }
}

/** It finds no place, and says why. */
export const waitsForPlace = ({ phase, message }: InstanceView): boolean => phase === 'pending' && message !== undefined

/** Messages begin with the instance's id, which the reader has before them. */
export function plainMessage({ id, message }: InstanceView): string | undefined {
  if (message === undefined) return undefined
  return message.startsWith(`${id} `) ? message.slice(id.length + 1) : message
}

const rank = (instance: InstanceView): number => {
  const { tone } = instanceState(instance)
  return tone === 'bad' ? 0 : tone === 'warn' ? 1 : 2
}

const collator = new Intl.Collator('en', { numeric: true })

/** What needs a look first; the others keep their places while their states change. */
export const worstFirst = (instances: readonly InstanceView[]): readonly InstanceView[] =>
  instances.toSorted((a, b) => rank(a) - rank(b) || collator.compare(a.id, b.id))
