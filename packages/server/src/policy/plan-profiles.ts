import type { ChangedFlowGroup, ProfilePlan } from '@berth/api'
import { BerthError, type ChangedFlow, type PolicyWorld, planFlows } from '@berth/core'
import { type AskingOptions, askFlows, decisionsOf, endView } from './live-flows.ts'
import { ownersOf } from './net-ends.ts'
import { type ProfileChanges, policyWorld } from './net-world.ts'
import { readOrRefuse } from './profiles.ts'

export interface ProfilesQuestion {
  readonly profiles: readonly Readonly<Record<string, unknown>>[]
  readonly remove?: readonly string[] | undefined
}

const mostGroups = 200
const mostExamples = 3

/**
 * For which flows that there are now other profiles would make a difference. Throws `profile.invalid`, `profile.unnamed`.
 */
export async function planProfiles(question: ProfilesQuestion, options: AskingOptions): Promise<ProfilePlan> {
  const { state } = options
  const changes = changesOf(question)
  const { flows, more, silent } = await askFlows(options)
  const after = policyWorld(state, changes)
  const { cut, opened } = planFlows(flows, policyWorld(state), after)
  const owners = ownersOf(state)
  return {
    ...{ profiles: [...changes.keys()], flows: flows.length },
    ...{ cutFlows: cut.length, cut: grouped(cut, owners, after) },
    ...{ openedFlows: opened.length, opened: grouped(opened, owners, after) },
    ...{ more, silent },
  }
}

function changesOf({ profiles, remove = [] }: ProfilesQuestion): ProfileChanges {
  const changes = new Map(remove.map((name): [string, undefined] => [name, undefined]))
  const read = profiles.map((document) => {
    const name = document.name ?? document.id
    if (typeof name === 'string') return readOrRefuse(name, document)
    throw new BerthError('profile.unnamed', 'plan profiles: each needs its `name` (or `id`)')
  })
  return new Map([...changes, ...read.map((profile) => [profile.name, profile] as const)])
}

/** Those of the same two entrypoints, to the same port, decided in the same words, in one. */
function grouped(
  changed: readonly ChangedFlow[],
  owners: ReturnType<typeof ownersOf>,
  world: PolicyWorld,
): ChangedFlowGroup[] {
  const groups = new Map<string, ChangedFlowGroup>()
  for (const { flow, decision } of changed) {
    const [from, to] = [owners(flow.source), owners(flow.destination)]
    const { outbound, inbound } = decisionsOf(decision, from, to, world)
    const messages = [outbound, inbound].filter(({ allowed }) => allowed === decision.allowed)
    const [fromName, toName] = [from.entrypoint ?? from.name, to.entrypoint ?? to.name]
    const message = messages.map((each) => each.message).join('; ')
    const { protocol, destinationPort: port } = flow
    const key = [fromName, toName, protocol, port, message].join('\n')
    const group = groups.get(key) ?? {
      ...{ from: fromName, to: toName, protocol, message, flows: 0, examples: [] },
      ...(port === undefined ? {} : { port }),
    }
    group.flows += 1
    if (group.examples.length < mostExamples) group.examples.push({ from: endView(from), to: endView(to) })
    groups.set(key, group)
  }
  return [...groups.values()].sort((a, b) => b.flows - a.flows).slice(0, mostGroups)
}
