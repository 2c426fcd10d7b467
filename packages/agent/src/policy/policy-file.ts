import { readFile, rename } from 'node:fs/promises'
import {
  formatAddress,
  type KnownPolicy,
  messageOf,
  type PolicyDocument,
  policyDocument6,
  profileDocument,
} from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { decodeChecked, encodeChecked } from '../state/checked-json.ts'

const format = 1
const pauseMs = 1_000

/** What the node knows of the security policy, on its disk: it holds after a reboot with every server dead. */
export class PolicyFile implements AsyncDisposable {
  readonly #path: string
  readonly #log: Logger
  #latest: KnownPolicy | undefined
  #timer: NodeJS.Timeout | undefined
  #tail: Promise<void> = Promise.resolve()

  constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  /** undefined: nothing is known. A corrupt file is set aside: a server tells everything in it again. */
  async read(): Promise<PolicyDocument | undefined> {
    try {
      return decodeChecked<PolicyDocument>(format, await readFile(this.#path, 'utf8'), this.#path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      await rename(this.#path, `${this.#path}.corrupt`).catch(() => undefined)
      this.#log.error({ reason: messageOf(error) }, 'set the corrupt security policy aside')
      return undefined
    }
  }

  /** A moment later: members may change often. */
  save(policy: KnownPolicy): void {
    this.#latest = policy
    this.#timer ??= setTimeout(() => this.#write(), pauseMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== undefined) this.#write()
    await this.#tail
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const policy = this.#latest
    if (policy === undefined) return
    this.#tail = this.#tail
      .then(() => writeFileAtomic(this.#path, encodeChecked(format, documentOf(policy))))
      .catch((error: unknown) => this.#log.error({ err: error }, 'could not write the security policy'))
  }
}

const documentOf = ({ profiles, members, gateways, ipv6 }: KnownPolicy): PolicyDocument => ({
  profiles: [...profiles.values()].map(profileDocument),
  members: Object.fromEntries([...members].map(([tag, addresses]) => [tag, Array.from(addresses, formatAddress)])),
  gateways: Array.from(gateways, formatAddress),
  ...(ipv6 === undefined ? {} : { ipv6: policyDocument6(ipv6) }),
})
