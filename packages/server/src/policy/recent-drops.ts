import type { DecidingRule, DropsReport, DropView, RecentDrops } from '@berth/api'
import { twinned } from '@berth/core'
import { twinRangesOf } from '../addresses/twin-pools.ts'
import type { State } from '../records/index.ts'
import { askNodes } from './ask-nodes.ts'
import { missingText } from './decision-view.ts'
import { type AskingOptions, endView } from './live-flows.ts'
import { addressesOf, nodesToAsk, ownersOf } from './net-ends.ts'

/** What nodes have dropped in the last minutes, the latest first. Throws `net.unknown-end`, `net.no-instance`. */
export async function recentDrops(
  { of }: { readonly of?: string | undefined },
  { state, agents, signal }: AskingOptions,
): Promise<RecentDrops> {
  const addresses = addressesOf(state, of)
  // Either end may have dropped it.
  const nodes = nodesToAsk(state)
  const request = { method: 'GET', path: '/v1/policy/drops' } as const
  const { answers, silent } = await askNodes<DropsReport>({ agents, nodes, request, signal })
  const owners = ownersOf(state)
  const twins = twinRangesOf(state)
  const isAsked = (address: string): boolean =>
    addresses?.has(address) === true || addresses?.has(twinned(twins, address) ?? address) === true
  const drops = answers.flatMap(({ node, answer }) =>
    answer.drops
      .filter(({ source, destination }) => addresses === undefined || isAsked(source) || isAsked(destination))
      .map(({ source, destination, protocol, port, by, packets, bytes, at }): DropView => {
        const [from, to] = [owners(source), owners(destination)]
        const ends = { from: endView(from), to: endView(to), protocol, ...(port === undefined ? {} : { port }) }
        return { ...ends, packets, bytes, at, node, ...deciderOf(by), message: messageOf(by, state) }
      }),
  )
  return {
    drops: drops.sort((a, b) => b.at - a.at),
    full: answers.flatMap(({ node, answer }) => (answer.isFull ? [node] : [])),
    silent,
  }
}

function deciderOf(by: DecidingRule | undefined): Pick<DropView, 'end' | 'profile' | 'number' | 'rule'> {
  if (by === undefined) return {}
  const { end, profile, number, rule } = by
  return {
    end,
    ...(profile === undefined ? {} : { profile }),
    ...(number === undefined ? {} : { number }),
    ...(rule === undefined ? {} : { rule }),
  }
}

function messageOf(by: DecidingRule | undefined, state: State): string {
  if (by === undefined) return 'a rule that is no more dropped it'
  const { end, profile, number, rule, profiles = [] } = by
  const list = end === 'in' ? 'inbound' : 'outbound'
  if (profile !== undefined) return `${list} rule ${number} of profile ${profile} denies it: ${rule}`
  const missing = profiles.filter((each) => !state.profiles.has(each))
  if (missing.length > 0) return `closed: ${missingText(missing)}`
  return `no ${list} rule of ${profiles.length === 1 ? 'profile' : 'profiles'} ${profiles.join(', ')} allows it`
}
