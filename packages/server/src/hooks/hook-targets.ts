import { BerthError, isName, nameRule } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import {
  type Change,
  type EventDraft,
  type HookTargetRecord,
  NamedRecords,
  type Records,
  type State,
} from '../records/index.ts'
import { BoundSecrets, secretProblem } from '../secrets/bound-secrets.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

const mostTargets = 100
const mostUrlLength = 1000

export interface HookTargetWish {
  readonly url: string
  /** What is posted there is signed with it. Absent: as before, or none; empty: none. */
  readonly secret?: string | undefined
}

/**
 * Where hooks of stages may call: whoever writes a `berth.yaml` makes the server post to a URL, so an admin says which. A secret is
 * sealed at rest and leaves this class only to sign.
 */
export class HookTargets {
  readonly #targets: NamedRecords<'hookTargets'>
  readonly #secrets: BoundSecrets<HookTargetRecord>
  readonly #now: () => number

  constructor(records: Records, key: SecretKey, now: () => number = Date.now) {
    this.#targets = new NamedRecords(records, {
      ...{ kind: 'hookTargets', most: mostTargets },
      missing: (name, hint) =>
        new BerthError('hook-target.not-found', `hooks may call nothing that is named ${name}; ${hint}`),
      tooMany: (name, most) =>
        new BerthError('hook-target.too-many', `allow ${name}: there are ${most} already; remove some`),
    })
    this.#secrets = new BoundSecrets(key, 'hook-targets', ({ name, url }) => [name, url])
    this.#now = now
  }

  /** Throws `hook-target.invalid`, `hook-target.too-many`. */
  async put(name: string, { url: text, secret }: HookTargetWish, context: CallContext): Promise<HookTargetRecord> {
    const url = checked(name, text, secret)
    const message = `hooks of stages may call ${url} (${name})`
    const decide = (before: HookTargetRecord | undefined): Change<HookTargetRecord> => {
      this.#targets.requireRoom(name, before)
      const target = { name, url, updatedAt: this.#now(), updatedBy: context.actor }
      const record = { ...target, ...this.#secrets.sealedFor(target, secret, before) }
      return { record, event: { type: 'hook-target.set', subject: {}, message } }
    }
    return this.#targets.put(name, decide, context)
  }

  /** Throws `hook-target.not-found`. */
  remove(name: string, context: CallContext): Promise<void> {
    const told = ({ url }: HookTargetRecord): EventDraft => {
      const message = `hooks of stages may not call ${url} (${name}) any more`
      return { type: 'hook-target.removed', subject: {}, message }
    }
    return this.#targets.remove(name, told, context)
  }

  /** Throws `secrets.cannot-open`. */
  secretOf(target: HookTargetRecord): string | undefined {
    return this.#secrets.open(target)
  }
}

/** The one that allows this URL: the same scheme, host and port, and its path or one below it. Of several the narrowest. */
export function hookTargetOf(state: State, text: string): HookTargetRecord | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  return state.hookTargets
    .all()
    .filter((each) => isBelow(url, new URL(each.url)))
    .sort((a, b) => b.url.length - a.url.length || (a.name < b.name ? -1 : 1))[0]
}

function isBelow(url: URL, allowed: URL): boolean {
  if (url.origin !== allowed.origin || url.username !== '' || url.password !== '') return false
  const folder = allowed.pathname.endsWith('/') ? allowed.pathname : `${allowed.pathname}/`
  return url.pathname === allowed.pathname || url.pathname.startsWith(folder)
}

function checked(name: string, text: string, secret: string | undefined): string {
  const refuse = (why: string): never => {
    throw new BerthError('hook-target.invalid', `allow hooks to call ${JSON.stringify(text.slice(0, 200))}: ${why}`)
  }
  if (!isName(name)) return refuse(`${JSON.stringify(name.slice(0, 80))} cannot name it: use ${nameRule}`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return refuse('write a URL such as https://ci.example/berth')
  if (url.username !== '' || url.password !== '') return refuse('it holds a password: give a secret instead')
  if (url.search !== '' || url.hash !== '') return refuse('a URL without ? and # is needed')
  if (text.length > mostUrlLength) return refuse(`it is longer than ${mostUrlLength} characters`)
  const problem = secretProblem(secret)
  if (problem !== undefined) return refuse(problem)
  return url.href
}
