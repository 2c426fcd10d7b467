import { searchDomainProblems } from '../network/search-domains.ts'
import { readTexts } from './read-values.ts'
import type { Texts } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** In their order; undefined: not given. With none (`none`, or an empty list) the cluster's do not hold either. */
export function canonicalSearchDomains(
  issues: IssueList,
  path: SpecPath,
  value: string | Texts | undefined,
): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (value === 'none') return []
  const domains = readTexts(issues, path, value)
  for (const { index, message } of searchDomainProblems(domains))
    issues.add(index === undefined || typeof value === 'string' ? path : [...path, index], message)
  return domains
}
