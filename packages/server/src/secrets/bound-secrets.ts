import { seal, unseal } from './seal.ts'
import type { SecretKey } from './secret-key.ts'

/** A secret that somebody else is told, in characters. */
const secretLength = { min: 8, max: 1000 } as const

/** Undefined: it may be one. Absent and empty are none. */
export const secretProblem = (secret = ''): string | undefined =>
  secret === '' || (secret.length >= secretLength.min && secret.length <= secretLength.max)
    ? undefined
    : `the secret has ${secretLength.min} to ${secretLength.max} characters`

/** Secrets of records, each sealed with where it goes, so that another address never gets it. */
export class BoundSecrets<T extends { readonly sealed?: string }> {
  readonly #key: Buffer
  readonly #boundTo: (record: Omit<T, 'sealed'>) => readonly string[]

  /** `purpose`: what the key is derived for. */
  constructor(key: SecretKey, purpose: string, boundTo: (record: Omit<T, 'sealed'>) => readonly string[]) {
    this.#key = key.derive(purpose)
    this.#boundTo = boundTo
  }

  /** `secret` is absent: as before, where it goes to the same place; empty: none. */
  sealedFor(
    record: Omit<T, 'sealed'>,
    secret: string | undefined,
    before: T | undefined,
  ): { readonly sealed?: string } {
    if (secret === '') return {}
    const bound = this.#boundTo(record)
    if (secret !== undefined) return { sealed: seal(this.#key, bound, secret) }
    if (before?.sealed === undefined || JSON.stringify(this.#boundTo(before)) !== JSON.stringify(bound)) return {}
    return { sealed: before.sealed }
  }

  /** Throws `secrets.cannot-open`. */
  open(record: T): string | undefined {
    return record.sealed === undefined ? undefined : unseal(this.#key, this.#boundTo(record), record.sealed)
  }
}
