import { generateKeyPairSync } from 'node:crypto'
import { BerthError, certificateNeeds, type HostNeed } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Traffic } from '../controllers/traffic.ts'
import type { AcmeAccount, AcmeFailure, Records, State } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

const name = 'default'

/** As far as it can be seen without asking: authorities refuse an account for another one, and each certificate with it. */
const isAddressOfMail = /^[^\s@,<>]+@[^\s@,<>]+\.[^\s@,<>]+$/

export interface AcmeSettings {
  readonly directoryUrl: string
  readonly email?: string | undefined
  readonly caPem?: string | undefined
}

export interface AcmeHost extends HostNeed {
  /** Why the last try failed. */
  readonly message?: string
}

/** Where certificates are obtained, and how it stands with each host. The account's key is sealed at rest. */
export class Acme {
  readonly #records: Records
  readonly #state: State
  readonly #traffic: Pick<Traffic, 'routes'>
  readonly #key: Buffer
  readonly #now: () => number

  constructor(records: Records, key: SecretKey, traffic: Pick<Traffic, 'routes'>, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#traffic = traffic
    this.#key = key.derive('acme')
    this.#now = now
  }

  get account(): AcmeAccount | undefined {
    return this.#state.acmeAccounts.get(name)
  }

  accountKeyPem(account: AcmeAccount): string {
    return unseal(this.#key, boundTo(account.version), account.sealedKey)
  }

  /** From now on certificates are obtained. The key stays as long as the directory does. Throws `acme.invalid-directory`, `acme.invalid-email`. */
  async set({ directoryUrl, email, caPem }: AcmeSettings, context: CallContext): Promise<AcmeAccount> {
    if (!URL.canParse(directoryUrl) || new URL(directoryUrl).protocol !== 'https:')
      throw new BerthError(
        'acme.invalid-directory',
        `obtain certificates from ${directoryUrl}: the directory is an https address, such as https://acme-v02.api.letsencrypt.org/directory`,
      )
    if (email !== undefined && !isAddressOfMail.test(email))
      throw new BerthError(
        'acme.invalid-email',
        `obtain certificates: "${email}" is no address of mail that the authority could write to; write e.g. ops@example.com`,
      )
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        const before = this.account
        const version = (before?.version ?? 0) + 1
        const isSame = before?.directoryUrl === directoryUrl
        const keyPem = isSame ? this.accountKeyPem(before) : newKeyPem()
        const record: AcmeAccount = {
          ...{ name, directoryUrl, version, sealedKey: seal(this.#key, boundTo(version), keyPem) },
          ...(email === undefined ? {} : { email }),
          ...(caPem === undefined ? {} : { caPem }),
          ...{ updatedAt: this.#now(), updatedBy: context.actor },
        } as const
        tx.put('acmeAccounts', record, { ifUnchanged: true })
        tx.event({ type: 'acme.set', subject: {}, message: `certificates are obtained from ${directoryUrl}` })
        return record
      },
      context,
    )
    return value
  }

  /** Nothing is obtained or renewed any more; certificates that there are stay. */
  async remove(context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (this.account === undefined) return
        tx.delete('acmeAccounts', name, { ifUnchanged: true })
        tx.event({ type: 'acme.removed', subject: {}, message: 'certificates are not obtained any more' })
      },
      context,
    )
  }

  /** With the account as it is: what was refused before may be granted now. */
  failures(): AcmeFailure[] {
    const { version } = this.account ?? {}
    return [...this.#state.acmeFailures.values()].filter(({ account }) => account === version)
  }

  /** How it stands with the certificate of each host that is served with TLS, those first that are due. */
  hosts(): AcmeHost[] {
    const routes = this.#traffic.routes().filter(({ tls }) => tls !== 'off')
    const failures = new Map(this.failures().map((each) => [each.host, each]))
    const needs = certificateNeeds(
      {
        hosts: routes.map(({ host }) => host),
        certificates: [...this.#state.certificates.values()].map(({ hosts, notBefore, notAfter, acme }) => {
          return { hosts, notBefore, notAfter, acme: acme === true }
        }),
        failed: [...failures.values()],
      },
      this.#now(),
    )
    return needs.map((need) => {
      const message = need.state === 'due' || need.state === 'waits' ? failures.get(need.host)?.message : undefined
      return message === undefined ? need : { ...need, message }
    })
  }
}

const boundTo = (version: number): readonly string[] => ['acme-account', name, String(version)]

const newKeyPem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
