import { readFile, rm, writeFile } from 'node:fs/promises'
import { BerthError, type ItemChange, type Items, nameOf, sysctlPath } from '@berth/core'
import { writeFileAtomic } from '../state/atomic-file.ts'
import type { MachineItems } from './item-kind.ts'

const head = '# Written by Berth from its node configuration (berth node config show). Changes here are lost.\n'

export interface SysctlPlaces {
  /** Set again with the next boot. */
  readonly file: string
  readonly pathOf: (name: string) => string
}

const places: SysctlPlaces = { file: '/etc/sysctl.d/90-berth.conf', pathOf: sysctlPath }

/** Settings of the kernel: in force at once, and after a boot. */
export class SysctlItems implements MachineItems {
  readonly #places: SysctlPlaces

  constructor(where: SysctlPlaces = places) {
    this.#places = where
  }

  async read(names: readonly string[]): Promise<Items> {
    const entries = names.map(async (name) => [`sysctl/${name}`, await this.#valueOf(name)] as const)
    return Object.fromEntries(await Promise.all(entries))
  }

  async write(changes: readonly ItemChange[]): Promise<void> {
    for (const { key, after } of changes) {
      if (after === null) continue
      const name = nameOf(key)
      try {
        await writeFile(this.#places.pathOf(name), `${after}\n`)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        throw new BerthError('configuration.sysctl', `set ${name} to ${after}: ${reasons[code ?? ''] ?? code}`, {
          cause: error,
        })
      }
    }
  }

  async problems(changes: readonly ItemChange[]): Promise<readonly string[]> {
    return changes
      .filter(({ before, after }) => before === null && after !== null)
      .map(({ key }) => `this kernel has no setting ${nameOf(key)}; is its module loaded?`)
  }

  /** What is to be in force after a boot; none: the file goes. */
  async keep(settings: Items): Promise<void> {
    const lines = Object.entries(settings).map(([key, value]) => `${nameOf(key)} = ${value}\n`)
    if (lines.length === 0) return await rm(this.#places.file, { force: true })
    await writeFileAtomic(this.#places.file, head + lines.sort().join(''), 0o644)
  }

  async #valueOf(name: string): Promise<string | null> {
    try {
      return (await readFile(this.#places.pathOf(name), 'utf8')).trim().replaceAll(/\s+/g, ' ')
    } catch {
      return null
    }
  }
}

const reasons: Readonly<Record<string, string>> = {
  EINVAL: 'the kernel does not take this value',
  ENOENT: 'this kernel has no such setting',
  EACCES: 'it cannot be set on this machine',
  EPERM: 'it cannot be set on this machine',
  EROFS: 'it cannot be set on this machine',
}
