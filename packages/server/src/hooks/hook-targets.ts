import { BerthError, closest, isName, nameRule } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { HookTargetRecord, Records, State } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

const mostTargets = 100
const mostUrlLength = 1000
const secretLength = { min: 8, max: 1000 } as const

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
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #now: () => number

  constructor(records: Records, key: SecretKey, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#key = key.derive('hook-targets')
    this.#now = now
  }

  /** Throws `hook-target.invalid`, `hook-target.too-many`. */
  async put(name: string, { url: text, secret }: HookTargetWish, context: CallContext): Promise<HookTargetRecord> {
    const url = checked(name, text, secret)
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        const before = this.#state.hookTargets.get(name)
        if (before === undefined && this.#state.hookTargets.size >= mostTargets)
          throw new BerthError('hook-target.too-many', `allow ${name}: there are ${mostTargets} already; remove some`)
        const sealed = this.#sealedFor(name, url, secret, before)
        const record: HookTargetRecord = {
          ...{ name, url, updatedAt: this.#now(), updatedBy: context.actor },
          ...(sealed === undefined ? {} : { sealed }),
        }
        tx.put('hookTargets', record, { ifUnchanged: true })
        tx.event({ type: 'hook-target.set', subject: {}, message: `hooks of stages may call ${url} (${name})` })
        return record
      },
      context,
    )
    return value
  }

  /** Throws `hook-target.not-found`. */
  async remove(name: string, context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        const target = this.#state.hookTargets.get(name)
        if (target === undefined) throw this.#missing(name)
        tx.delete('hookTargets', name, { ifUnchanged: true })
        const message = `hooks of stages may not call ${target.url} (${name}) any more`
        tx.event({ type: 'hook-target.removed', subject: {}, message })
      },
      context,
    )
  }

  /** Throws `secrets.cannot-open`. */
  secretOf({ name, url, sealed }: HookTargetRecord): string | undefined {
    return sealed === undefined ? undefined : unseal(this.#key, [name, url], sealed)
  }

  #missing(name: string): BerthError {
    const names = [...this.#state.hookTargets.ids()].sort()
    const near = closest(name, names)
    const hint = near === undefined ? `there are: ${names.slice(0, 20).join(', ') || 'none'}` : `did you mean ${near}?`
    return new BerthError('hook-target.not-found', `hooks may call nothing that is named ${name}; ${hint}`)
  }

  /** Sealed with where it goes, so that another URL never gets it. */
  #sealedFor(
    name: string,
    url: string,
    secret: string | undefined,
    before: HookTargetRecord | undefined,
  ): string | undefined {
    if (secret === '') return undefined
    if (secret !== undefined) return seal(this.#key, [name, url], secret)
    return before?.url === url ? before.sealed : undefined
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
  if (secret !== undefined && secret !== '' && (secret.length < secretLength.min || secret.length > secretLength.max))
    return refuse(`the secret has ${secretLength.min} to ${secretLength.max} characters`)
  return url.href
}
