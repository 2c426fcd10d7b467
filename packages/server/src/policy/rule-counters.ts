import type { RuleCount, RuleCountersView, RuleCounts } from '@berth/api'
import { formatRule } from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { ProfileRecord, State } from '../records/index.ts'
import { askNodes } from './ask-nodes.ts'
import { profileOf, profilesOfInstance } from './profile-of.ts'

type CountedView = RuleCountersView['rules'][number]

export interface CountersOptions {
  readonly state: State
  readonly agents: Pick<AgentLinks, 'request'>
  readonly signal: AbortSignal
}

/** Asks the nodes on which an instance has the profile. */
export async function ruleCounters(record: ProfileRecord, options: CountersOptions): Promise<RuleCountersView> {
  const { state, agents, signal } = options
  const { name } = record
  const request = { method: 'GET', path: `/v1/policy/counts?profile=${encodeURIComponent(name)}` } as const
  const nodes = nodesWith(state, name)
  const { answers, silent } = await askNodes<RuleCounts>({ agents, nodes, request, signal })
  const { inbound = [], outbound = [] } = profileOf(record) ?? {}
  const counted = answers.flatMap(({ node, answer }) => answer.rules.map((rule) => ({ node, rule })))
  return {
    profile: name,
    rules: [
      ...inbound.map((rule, index) => summed({ end: 'in', number: index + 1, rule: formatRule(rule) }, counted)),
      ...outbound.map((rule, index) => summed({ end: 'out', number: index + 1, rule: formatRule(rule) }, counted)),
      ...listsOf(counted).map((list) => summed(list, counted)),
    ],
    nodes: answers.flatMap(({ node, answer: { since } }) => (since === undefined ? [] : [{ node, since }])),
    silent,
  }
}

type Key = Pick<CountedView, 'end' | 'number' | 'rule' | 'profiles'>

interface Counted {
  readonly node: string
  readonly rule: RuleCount
}

/** A node that has another version of the profile yet counts what another rule decided: by its words it is told apart. */
function summed(key: Key, counted: readonly Counted[]): CountedView {
  const nodes = counted
    .filter(({ rule }) => isOf(key, rule))
    .map(({ node, rule: { packets, bytes } }) => ({ node, packets, bytes }))
  const sum = (pick: (each: (typeof nodes)[number]) => number): number =>
    nodes.reduce((all, each) => all + pick(each), 0)
  return { ...key, packets: sum(({ packets }) => packets), bytes: sum(({ bytes }) => bytes), nodes }
}

const isOf = (key: Key, rule: RuleCount): boolean =>
  key.end === rule.end &&
  key.number === rule.number &&
  key.rule === rule.rule &&
  key.profiles?.join() === rule.profiles?.join()

/** What came to the end of each list of profiles, whatever the node. */
function listsOf(counted: readonly Counted[]): Key[] {
  const lists = counted.flatMap(({ rule: { end, profiles } }): [string, Key][] =>
    profiles === undefined ? [] : [[`${profiles.join()} ${end}`, { end, profiles: [...profiles] }]],
  )
  return [...new Map(lists.sort(([a], [b]) => (a < b ? -1 : 1))).values()]
}

function nodesWith(state: State, profile: string): Set<string> {
  const found = new Set<string>()
  for (const instance of state.instances.values())
    if (instance.node !== undefined && !found.has(instance.node))
      if (profilesOfInstance(state, instance).includes(profile)) found.add(instance.node)
  return found
}
