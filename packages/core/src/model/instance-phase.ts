import { BerthError } from './berth-error.ts'

/** The phase only moves forward. */
export type InstancePhase = 'pending' | 'assigned' | 'running' | 'stopping' | 'ended'

export type PhaseOwner = 'server' | 'agent'

/** Who may move an instance from where to where. What is not listed is a bug, and throws. */
export const phaseTransitions: Readonly<Record<PhaseOwner, Readonly<Record<InstancePhase, readonly InstancePhase[]>>>> =
  {
    server: { pending: ['assigned', 'ended'], assigned: ['ended'], running: [], stopping: [], ended: [] },
    agent: {
      pending: [],
      assigned: ['running', 'stopping', 'ended'],
      running: ['stopping', 'ended'],
      stopping: ['ended'],
      ended: [],
    },
  }

/** Returns `to`, or throws `instance.illegal-transition`. Staying in a phase is always allowed. */
export function movePhase(owner: PhaseOwner, from: InstancePhase, to: InstancePhase): InstancePhase {
  if (from === to || phaseTransitions[owner][from].includes(to)) return to
  throw new BerthError('instance.illegal-transition', `the ${owner} may not move an instance from ${from} to ${to}`)
}
