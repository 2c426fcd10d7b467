import type { ValidatedProfileView } from '@berth/api'
import { parseProfile } from '@berth/api/policy/parse-profile'
import { formatRule, profileDocument } from '@berth/core'

/** A profile as somebody wrote it, in YAML or JSON: what it says, or every mistake. */
export function validateProfile(text: string): ValidatedProfileView {
  const { profile, problems } = parseProfile(text)
  if (profile === undefined) return { problems: problems.map(({ column: _, ...problem }) => problem) }
  return {
    name: profile.name,
    inbound: profile.inbound.map(formatRule),
    outbound: profile.outbound.map(formatRule),
    document: { ...profileDocument(profile) },
    problems: [],
  }
}
