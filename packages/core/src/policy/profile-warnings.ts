import { closest } from '../spec/closest.ts'
import type { SpecIssue, SpecPath } from '../spec/spec-issue.ts'
import type { PolicyRule, Profile } from './profile.ts'

/**
 * What is allowed and most likely not meant: tags that nobody bears. `bearers`: all others that there are, other profiles and external services.
 */
export function profileWarnings(profile: Profile, bearers: Iterable<Pick<Profile, 'tags'>>): readonly SpecIssue[] {
  const borne = new Set([profile, ...bearers].flatMap(({ tags }) => tags))
  return [
    ...profile.inbound.flatMap((rule, index) => ruleWarnings(rule, ['inbound', index], borne)),
    ...profile.outbound.flatMap((rule, index) => ruleWarnings(rule, ['outbound', index], borne)),
  ]
}

function ruleWarnings({ source, destination }: PolicyRule, path: SpecPath, borne: ReadonlySet<string>): SpecIssue[] {
  const tags = new Set([source.tag, destination.tag].filter((tag) => tag !== undefined && !borne.has(tag)))
  return [...tags].map((tag = '') => {
    const near = closest(tag, borne)
    const suggestion = near === undefined ? `give it to a profile: \`tags: [${tag}]\`` : `did you mean "${near}"?`
    return { path, message: `nobody bears the tag "${tag}": no profile gives it`, suggestion }
  })
}
