import { closest } from '../spec/closest.ts'
import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'
import { isProfileName, maxProfiles, profileNameRule } from './profile.ts'

/** `docker run --network name=berth,driver-opt=berth.profile=web`: what a container that is started by hand asks for. */
export const profileOption = 'berth.profile'

/** Options of ours begin with this; all others are Docker's or somebody else's. */
const ownPrefix = 'berth.'

/**
 * The profiles that a container's options of Docker name, in order: `web+db`, or with commas. Empty: it names none. Whether they exist is
 * not known here.
 */
export function readWishedProfiles(options: Readonly<Record<string, unknown>>): Parsed<readonly string[]> {
  const unknown = Object.keys(options).find((key) => key.startsWith(ownPrefix) && key !== profileOption)
  if (unknown !== undefined) {
    const near = closest(unknown, [profileOption])
    return refused(
      `driver-opt ${unknown.slice(0, 100)} is unknown; ${near === undefined ? 'there is' : 'did you mean'} ${profileOption}`,
    )
  }
  if (!Object.hasOwn(options, profileOption)) return parsed([])
  const text = options[profileOption]
  if (typeof text !== 'string' || text.trim() === '')
    return refused(`driver-opt ${profileOption} names no profile: write ${profileOption}=web, or =web+db for several`)
  const names = text.split(/[+,]/).map((each) => each.trim())
  const wrong = names.find((each) => !isProfileName(each))
  if (wrong !== undefined)
    return refused(
      `driver-opt ${profileOption}: ${JSON.stringify(wrong.slice(0, 100))} is no name of a profile: ${profileNameRule}`,
    )
  const twice = names.find((each, index) => names.indexOf(each) !== index)
  if (twice !== undefined) return refused(`driver-opt ${profileOption}: ${twice} stands there twice`)
  if (names.length > maxProfiles)
    return refused(
      `driver-opt ${profileOption}: a container has at most ${maxProfiles} profiles, these are ${names.length}`,
    )
  return parsed(names)
}

/**
 * What holds for a container that names these: all of them, or, while one of them is not there, the missing ones alone, which let nothing
 * pass. What is missing may be the one that was to deny something.
 */
export function wishInForce(named: readonly string[], exists: (name: string) => boolean): readonly string[] {
  const missing = named.filter((name) => !exists(name))
  return missing.length === 0 ? named : missing
}

/** Whether what is in force somewhere is there for the sake of these. */
export const isOfWish = (inForce: readonly string[] | undefined, named: readonly string[]): boolean =>
  inForce !== undefined && inForce.length > 0 && inForce.every((name) => named.includes(name))
