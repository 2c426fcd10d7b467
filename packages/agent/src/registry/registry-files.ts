import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RegistryCollection, RegistryOrder } from '@berth/api'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { decodeChecked, encodeChecked } from '../state/checked-json.ts'

const format = 1

/** What a node that runs the registry remembers of it. */
export interface RegistryMemory {
  readonly order: RegistryOrder
  readonly collected?: RegistryCollection
}

export type RegistryMode = 'open' | 'read-only'

/** Everything of the registry is below one folder: what it was ordered to be, what the program reads, its images. */
export class RegistryFiles {
  readonly directory: string
  readonly configuration: string
  readonly pidFile: string
  readonly log: string
  readonly images: string
  readonly #memory: string

  constructor(directory: string) {
    this.directory = directory
    this.configuration = join(directory, 'config.yml')
    this.pidFile = join(directory, 'pid')
    this.log = join(directory, 'log')
    this.images = join(directory, 'images')
    this.#memory = join(directory, 'registry.json')
  }

  /** Undefined on a node that runs none. One that cannot be read is as good as none: a server orders it again. */
  async read(log: Logger): Promise<RegistryMemory | undefined> {
    const text = await readFile(this.#memory, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    try {
      return decodeChecked<RegistryMemory>(format, text, this.#memory)
    } catch (error) {
      log.warn({ err: error }, 'what was known of the registry cannot be read; it waits for a server')
      return undefined
    }
  }

  async write(memory: RegistryMemory): Promise<void> {
    await writeFileAtomic(this.#memory, encodeChecked(format, memory))
  }

  /** What the program reads at its start. */
  async configure(order: RegistryOrder, mode: RegistryMode): Promise<void> {
    await writeFileAtomic(this.#path('certificate.pem'), order.certificatePem)
    await writeFileAtomic(this.#path('key.pem'), order.keyPem)
    await writeFileAtomic(this.#path('tokens.pem'), order.tokenCertificatePem)
    await writeFileAtomic(this.configuration, this.#configurationText(order, mode))
  }

  /** In which it was started last. */
  async mode(): Promise<RegistryMode> {
    const text = await readFile(this.configuration, 'utf8').catch(() => '')
    return /"readonly":\s*\{\s*"enabled":\s*true/.test(text) ? 'read-only' : 'open'
  }

  async forget({ purge }: { readonly purge: boolean }): Promise<void> {
    await rm(this.#memory, { force: true })
    await rm(this.#path('key.pem'), { force: true })
    if (purge) await rm(this.directory, { recursive: true, force: true })
  }

  #configurationText({ address, port }: RegistryOrder, mode: RegistryMode): string {
    const host = `${address}:${port}`
    const configuration = {
      version: 0.1,
      log: { level: 'warn', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: this.images },
        delete: { enabled: true },
        maintenance: {
          // What an upload that was cut off has left.
          uploadpurging: { enabled: true, age: '24h', interval: '12h', dryrun: false },
          readonly: { enabled: mode === 'read-only' },
        },
      },
      http: {
        addr: host,
        tls: { certificate: this.#path('certificate.pem'), key: this.#path('key.pem'), minimumtls: 'tls1.2' },
      },
      auth: {
        token: { ...registryTokens, realm: `https://${host}/v2/`, rootcertbundle: this.#path('tokens.pem') },
      },
    }
    // JSON is YAML.
    return `${JSON.stringify(configuration, undefined, 2)}\n`
  }

  #path(name: string): string {
    return join(this.directory, name)
  }
}

/** Who signs tokens, and for whom: what servers write into each of them. */
const registryTokens = { service: 'berth-registry', issuer: 'berth' }
