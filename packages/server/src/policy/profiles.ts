import {
  BerthError,
  defaultProfileName,
  type Profile,
  problemOf,
  problemsText,
  profileDocument,
  readProfile,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import {
  type Change,
  checkVersion,
  type EventDraft,
  NamedRecords,
  type ProfileRecord,
  type Records,
  type State,
} from '../records/index.ts'
import { profileUsers } from './profile-users.ts'

const maxProfileCount = 10_000

export interface PutOptions {
  /** Refuse unless the profile has this version; 0: unless there is none. */
  readonly version?: number | undefined
}

/** Security profiles, as people change them. How they come to nodes is the feed's. */
export class Profiles {
  readonly #profiles: NamedRecords<'profiles'>
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#profiles = new NamedRecords(records, {
      ...{ kind: 'profiles', most: maxProfileCount },
      missing: (name, hint) =>
        new BerthError('profile.not-found', `there is no profile ${name}; ${hint}`, { details: { profile: name } }),
      tooMany: (name, most) =>
        new BerthError('profile.too-many', `make profile ${name}: there are ${most} already; remove some first`),
    })
    this.#state = records.state
    this.#now = now
  }

  /** Throws `profile.not-found`. */
  require(name: string): ProfileRecord {
    return this.#profiles.require(name)
  }

  /** `document` is as it was written, whatever it is. Throws `profile.invalid`, `profile.changed`, `profile.too-many`. */
  async put(name: string, document: unknown, options: PutOptions, context: CallContext): Promise<ProfileRecord> {
    const profile = readOrRefuse(name, document)
    const decide = (before: ProfileRecord | undefined): Change<ProfileRecord> => {
      checkVersion(before, options.version, changed(name, options.version))
      const written = profileDocument(profile)
      if (before !== undefined && JSON.stringify(before.document) === JSON.stringify(written)) return { record: before }
      this.#profiles.requireRoom(name, before)
      const version = (before?.version ?? 0) + 1
      const record = { name, document: written, version, updatedAt: this.#now(), updatedBy: context.actor }
      const type = before === undefined ? 'profile.created' : 'profile.updated'
      const message = `profile ${name}: ${countOf(profile)}${whomOf(name)}`
      return { record, event: { type, subject: {}, message } }
    }
    return this.#profiles.put(name, decide, context)
  }

  /** Throws `profile.not-found`, `profile.in-use`, `profile.changed`. */
  remove(name: string, options: PutOptions, context: CallContext): Promise<void> {
    const told = (record: ProfileRecord): EventDraft => {
      checkVersion(record, options.version, changed(name, options.version))
      const users = profileUsers(this.#state, name)
      if (users.length > 0)
        throw new BerthError(
          'profile.in-use',
          `remove profile ${name}: ${listed(users)} would be closed; take it out of their berth.yaml and deploy first`,
          { details: { profile: name, users } },
        )
      return { type: 'profile.removed', subject: {}, message: `profile ${name} was removed${whomOf(name)}` }
    }
    return this.#profiles.remove(name, told, context)
  }
}

/** Throws `profile.invalid` with all that is wrong with it. */
export function readOrRefuse(name: string, document: unknown): Profile {
  const { profile, issues } = readProfile(document, name)
  if (profile !== undefined) return profile
  const problems = issues.map(problemOf)
  throw new BerthError('profile.invalid', `profile ${name}: ${problemsText(problems)}`, { details: { problems } })
}

const changed = (name: string, wanted?: number) => (version: number) =>
  new BerthError(
    'profile.changed',
    `profile ${name} has version ${version} by now, not ${wanted}; look at it again: berth profile show ${name}`,
    { details: { profile: name, version } },
  )

const countOf = ({ inbound, outbound }: Profile): string => `${inbound.length} rules in, ${outbound.length} out`

const whomOf = (name: string): string => (name === defaultProfileName ? ', for all instances that name none' : '')

const listed = (users: readonly string[]): string =>
  `${users.slice(0, 5).join(', ')}${users.length > 5 ? ` and ${users.length - 5} more` : ''}`
