import { isProfileName, maxProfiles, profileNameRule } from '../policy/profile.ts'
import { readTexts } from './read-values.ts'
import type { Texts } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Names of security profiles in their order; undefined: not given, or none. Whether they exist is the cluster's to say. */
export function canonicalProfiles(
  issues: IssueList,
  path: SpecPath,
  value: string | Texts | undefined,
): readonly string[] | undefined {
  const names = readTexts(issues, path, value)
  for (const [index, name] of names.entries()) {
    const at = typeof value === 'string' ? path : [...path, index]
    if (!isProfileName(name))
      issues.add(at, `${JSON.stringify(name.slice(0, 80))} is no profile: use ${profileNameRule}`)
    else if (names.indexOf(name) < index) issues.add(at, `the profile ${name} is given twice`)
  }
  if (names.length > maxProfiles)
    issues.add(path, `${names.length} profiles are too many: at most ${maxProfiles} are possible`, {
      suggestion: 'put their rules into fewer ones',
    })
  return names.length === 0 ? undefined : names
}
