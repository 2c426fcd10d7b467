import { readFile, rm } from 'node:fs/promises'
import { BerthError, dockerEffect, type ItemChange, type Items, type Json, nameOf } from '@berth/core'
import { writeFileAtomic } from '../state/atomic-file.ts'
import type { Dockerd } from './dockerd.ts'
import type { KindOptions, MachineItems } from './item-kind.ts'

type Document = Record<string, Json>

/** Keys of dockerd's `daemon.json`; all others in it are the machine's own and stay. */
export class DockerItems implements MachineItems {
  readonly #dockerd: Dockerd

  constructor(dockerd: Dockerd) {
    this.#dockerd = dockerd
  }

  async read(names: readonly string[]): Promise<Items> {
    if (names.length === 0) return {}
    const document = await this.#document()
    return Object.fromEntries(names.map((name) => [`docker/${name}`, document[name] ?? null]))
  }

  async write(changes: readonly ItemChange[], { signal }: KindOptions): Promise<void> {
    if (changes.length === 0) return
    await this.#save(changed(await this.#document(), changes))
    await this.#dockerd.take(dockerEffect(changes), { signal })
  }

  async problems(changes: readonly ItemChange[], { signal }: KindOptions): Promise<readonly string[]> {
    if (changes.length === 0) return []
    let document: Document
    try {
      document = await this.#document()
    } catch (error) {
      return [(error as Error).message]
    }
    const flags = await this.#dockerd.flags()
    const taken = changes
      .map(({ key }) => nameOf(key))
      .filter((name) => flags.some((flag) => isFlagOf(flag, name)))
      .map((name) => `dockerd was started with ${name} as a flag, which does not go together with daemon.json`)
    const restart = dockerEffect(changes) === 'restart' && !(await this.#dockerd.keepsContainers({ signal }))
    const invalid = await this.#dockerd.validate(changed(document, changes), { signal })
    return [
      ...taken,
      ...(restart
        ? [
            'dockerd has to be restarted, and without live-restore that ends every container: apply docker.options.live-restore alone first',
          ]
        : []),
      ...(invalid === undefined ? [] : [`dockerd would not take it: ${invalid}`]),
    ]
  }

  async #document(): Promise<Document> {
    const file = await this.#dockerd.configFile()
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    try {
      const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document
    } catch {
      // Said below.
    }
    throw new BerthError('configuration.daemon-json', `${file} on this machine is no JSON document: mend it by hand`)
  }

  /** One that was not there, and is to be empty, is not there again. */
  async #save(document: Document): Promise<void> {
    const file = await this.#dockerd.configFile()
    if (Object.keys(document).length === 0) return await rm(file, { force: true })
    await writeFileAtomic(file, `${JSON.stringify(document, null, 2)}\n`, 0o644)
  }
}

function changed(document: Document, changes: readonly ItemChange[]): Document {
  const next = { ...document }
  for (const { key, after } of changes) {
    if (after === null) delete next[nameOf(key)]
    else next[nameOf(key)] = after
  }
  return next
}

/** `--registry-mirror` for `registry-mirrors`, `--insecure-registry` for `insecure-registries`. */
function isFlagOf(flag: string, option: string): boolean {
  const name = /^--([a-z0-9-]+)/.exec(flag)?.[1]
  const singular = option === 'insecure-registries' ? 'insecure-registry' : option.replace(/s$/, '')
  return name !== undefined && (name === option || name === singular)
}
