import type { ServerView } from '@berth/api'
import type { MemberRecord, State } from '../records/index.ts'

export function serverView(state: State, { run: _, ...member }: MemberRecord, answering: string): ServerView {
  const leads = [...state.leaders.values()].filter((leader) => leader.server === member.name)
  return { ...member, leads: leads.map(({ role }) => role).sort(), answers: member.name === answering }
}

/** By name. */
export const serverViews = (state: State, answering: string): ServerView[] =>
  state.members
    .all()
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((member) => serverView(state, member, answering))
