import type { Assignment, NetworkConfig } from '../model/assignment.ts'
import { hostNameProblem } from './host-name.ts'

/** Beside the instance's own: older C libraries take six. */
export const maxSearchDomains = 5
/** Of all of them with the blanks between: musl reads 256, and the instance's own is to have room too. */
const maxCharacters = 120

export interface SearchDomainProblem {
  /** Of the domain; absent: of all of them together. */
  readonly index?: number
  readonly message: string
}

/** What is wrong with domains in which short names are to be looked for. */
export function searchDomainProblems(domains: readonly string[]): SearchDomainProblem[] {
  const problems: SearchDomainProblem[] = []
  for (const [index, domain] of domains.entries()) {
    const problem = hostNameProblem(domain)
    if (problem !== undefined) problems.push({ index, message: `${JSON.stringify(domain.slice(0, 80))} ${problem}` })
    else if (domains.indexOf(domain) < index) problems.push({ index, message: `the domain ${domain} is given twice` })
  }
  if (domains.length > maxSearchDomains)
    problems.push({ message: `${domains.length} domains are too many: at most ${maxSearchDomains} are possible` })
  if (domains.join(' ').length > maxCharacters)
    problems.push({ message: `the domains have more than ${maxCharacters} characters together` })
  return problems
}

/**
 * Where an instance's short names are looked for, in this order: its own app's in its own pool, so that `db` is `db.production.shop.berth`, and
 * then what its entrypoint says, or else the cluster.
 */
export function searchList(
  { app, pool, searchDomains }: Pick<Assignment, 'app' | 'pool' | 'searchDomains'>,
  network: Pick<NetworkConfig, 'domain' | 'searchDomains'>,
): readonly string[] {
  const others = searchDomains ?? network.searchDomains ?? []
  return [...new Set([`${pool}.${app}.${network.domain}`, ...others])]
}
