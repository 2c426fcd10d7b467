import type { History, LeaderAct, TermRecord, Violation } from './history.ts'

/** At most one leader acts: whatever is done in a role is done in a term, and in a term by one process alone. */
export function* checkLeaders({ terms, acts }: History): Generator<Violation> {
  const actors = new Map<TermRecord, LeaderAct>()
  const servers = new Map<string, TermRecord>()
  for (const act of acts) {
    const { role, actor, revision, what } = act
    const term = termAt(terms, role, revision)
    if (term === undefined) {
      yield {
        rule: 'acts-without-term',
        message: `${actor} did “${what}” of ${role} at revision ${revision}, when nobody led`,
      }
      continue
    }
    const first = actors.get(term) ?? act
    actors.set(term, first)
    if (first.actor !== actor)
      yield {
        rule: 'two-leaders',
        message: `${first.actor} and ${actor} acted in ${role} in term ${term.number} of ${term.server}: “${first.what}” at revision ${first.revision}, “${what}” at ${revision}`,
      }
    const known = servers.get(actor) ?? term
    servers.set(actor, known)
    if (known.server !== term.server)
      yield {
        rule: 'two-leaders',
        message: `${actor} acted in ${role} in a term of ${known.server} and, at revision ${revision}, in one of ${term.server}`,
      }
  }
}

/** A term's own revision is the claim; acts come after it. */
const termAt = (terms: readonly TermRecord[], role: string, revision: number): TermRecord | undefined =>
  terms.find(
    (term) => term.role === role && term.number < revision && revision < (term.endedAt ?? Number.POSITIVE_INFINITY),
  )
