import {
  BerthError,
  closest,
  defaultProfileName,
  formatPath,
  type Profile,
  profileDocument,
  readProfile,
  type SpecIssue,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { ProfileRecord, Records, RecordTransaction, State } from '../records/index.ts'
import { profileUsers } from './profile-users.ts'

const maxProfileCount = 10_000

export interface PutOptions {
  /** Refuse unless the profile has this version; 0: unless there is none. */
  readonly version?: number | undefined
}

/** Security profiles, as people change them. How they come to nodes is the feed's. */
export class Profiles {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  /** Throws `profile.not-found`. */
  require(name: string): ProfileRecord {
    const found = this.#state.profiles.get(name)
    if (found !== undefined) return found
    const names = [...this.#state.profiles.ids()].sort()
    const near = closest(name, names)
    const hint = near === undefined ? `there are: ${names.slice(0, 20).join(', ') || 'none'}` : `did you mean ${near}?`
    throw new BerthError('profile.not-found', `there is no profile ${name}; ${hint}`, { details: { profile: name } })
  }

  /** `document` is as it was written, whatever it is. Throws `profile.invalid`, `profile.changed`, `profile.too-many`. */
  async put(name: string, document: unknown, options: PutOptions, context: CallContext): Promise<ProfileRecord> {
    const profile = readOrRefuse(name, document)
    const decide = (tx: RecordTransaction): ProfileRecord => {
      const before = this.#state.profiles.get(name)
      checkVersion(name, before, options.version)
      const written = profileDocument(profile)
      if (before !== undefined && JSON.stringify(before.document) === JSON.stringify(written)) return before
      if (before === undefined && this.#state.profiles.size >= maxProfileCount)
        throw new BerthError(
          'profile.too-many',
          `make profile ${name}: there are ${maxProfileCount} already; remove some first`,
        )
      const version = (before?.version ?? 0) + 1
      const record = { name, document: written, version, updatedAt: this.#now(), updatedBy: context.actor }
      tx.put('profiles', record, { ifUnchanged: true })
      tx.event({
        type: before === undefined ? 'profile.created' : 'profile.updated',
        subject: {},
        message: `profile ${name}: ${countOf(profile)}${whomOf(name)}`,
      })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Throws `profile.not-found`, `profile.in-use`, `profile.changed`. */
  async remove(name: string, options: PutOptions, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      const before = this.require(name)
      checkVersion(name, before, options.version)
      const users = profileUsers(this.#state, name)
      if (users.length > 0)
        throw new BerthError(
          'profile.in-use',
          `remove profile ${name}: ${listed(users)} would be closed; take it out of their berth.yaml and deploy first`,
          { details: { profile: name, users } },
        )
      tx.delete('profiles', name, { ifUnchanged: true })
      tx.event({ type: 'profile.removed', subject: {}, message: `profile ${name} was removed${whomOf(name)}` })
    }
    await this.#records.commit(context.actor, decide, context)
  }
}

/** Throws `profile.invalid` with all that is wrong with it. */
export function readOrRefuse(name: string, document: unknown): Profile {
  const { profile, issues } = readProfile(document, name)
  if (profile !== undefined) return profile
  const problems = issues.map(problemOf)
  const texts = problems.map(({ path, message, suggestion }) =>
    [path, message, suggestion].filter((part) => part !== undefined && part !== '').join(': '),
  )
  throw new BerthError('profile.invalid', `profile ${name}: ${texts.slice(0, 10).join('; ')}`, {
    details: { problems },
  })
}

const problemOf = ({ path, message, suggestion }: SpecIssue) => ({
  path: formatPath(path),
  message,
  ...(suggestion === undefined ? {} : { suggestion }),
})

function checkVersion(name: string, before: ProfileRecord | undefined, wanted: number | undefined): void {
  const version = before?.version ?? 0
  if (wanted === undefined || wanted === version) return
  throw new BerthError(
    'profile.changed',
    `profile ${name} has version ${version} by now, not ${wanted}; look at it again: berth profile show ${name}`,
    { details: { profile: name, version } },
  )
}

const countOf = ({ inbound, outbound }: Profile): string => `${inbound.length} rules in, ${outbound.length} out`

const whomOf = (name: string): string => (name === defaultProfileName ? ', for all instances that name none' : '')

const listed = (users: readonly string[]): string =>
  `${users.slice(0, 5).join(', ')}${users.length > 5 ? ` and ${users.length - 5} more` : ''}`
