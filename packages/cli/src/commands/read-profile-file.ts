import { BerthError, type Profile } from '@berth/core'
import { readText } from '../files.ts'

/** Throws `profile.invalid` with all its mistakes, each at its place. */
export async function readProfileFile(file: string): Promise<Profile> {
  const { formatProblems } = await import('@berth/api/spec/index')
  const { parseProfile } = await import('@berth/api/policy/parse-profile')
  const text = readText(file, 'docs/guides/profiles.md has examples')
  const { profile, problems } = parseProfile(text)
  if (profile !== undefined) return profile
  throw new BerthError(
    'profile.invalid',
    `${file} has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${formatProblems(problems, file, text)}`,
    { details: { problems } },
  )
}
