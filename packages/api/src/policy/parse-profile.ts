import { type Profile, readProfile } from '@berth/core'
import { parseDocument, type SpecProblem } from '../spec/parse-document.ts'

export interface ParsedProfile {
  /** Present exactly when there are no problems. */
  readonly profile?: Profile
  /** In the order of the file. */
  readonly problems: readonly SpecProblem[]
}

/** Reads a security profile from YAML or JSON: Calico's form or the short one, or every mistake. Never throws, whatever the text. */
export function parseProfile(text: string): ParsedProfile {
  const { value, problems } = parseDocument<unknown, Profile>(text, {
    whenTooLarge: 'a profile has at most 1000 rules a direction; name networks instead of addresses',
    whenEmpty: 'write `name:` and, as need be, `tags:`, `inbound:`, `outbound:`',
    shape: (document) => ({ document, broken: [], issues: [] }),
    canonical: (document) => {
      const { profile, issues } = readProfile(document)
      return profile === undefined ? { issues } : { value: profile, issues }
    },
  })
  return value === undefined ? { problems } : { profile: value, problems }
}
