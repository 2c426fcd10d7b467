import { BerthError, closest, type NetworkDriver, networkDrivers } from '@berth/core'
import { parseSshTarget } from '../ssh/ssh-target.ts'
import type { MachineEntry } from './machine-entry.ts'

/** What holds for every machine that does not say otherwise. */
export type MachineDefaults = Omit<MachineEntry, 'target' | 'node' | 'address' | 'hostKey'> & {
  readonly user: string
  readonly port: number
}

type Fields = Readonly<Record<string, unknown>>

const entryKeys = ['host', 'node', 'address', 'hostKey'] as const
const sharedKeys = ['user', 'port', 'key', 'labels', 'group', 'gateway', 'network', 'httpPort', 'httpsPort'] as const

/**
 * Reads an inventory: `hosts`, and `defaults` for them. Everything that is wrong with it is said at once. Passwords have no place in it,
 * for such files are kept with code. Throws `usage.inventory`.
 */
export async function parseInventory(text: string, file: string, defaults: MachineDefaults): Promise<MachineEntry[]> {
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text, { uniqueKeys: true })
  const problems = document.errors.map((error) => error.message.split('\n')[0] ?? '')
  const root: unknown = problems.length > 0 ? {} : document.toJS()
  const reader = new InventoryReader(defaults, problems)
  const entries = reader.read(root)
  if (problems.length === 0) return entries
  throw new BerthError('usage.inventory', `${file}:\n${problems.map((each) => `  ${each}`).join('\n')}`, {
    details: { problems },
  })
}

class InventoryReader {
  readonly #defaults: MachineDefaults
  readonly #problems: string[]

  constructor(defaults: MachineDefaults, problems: string[]) {
    this.#defaults = defaults
    this.#problems = problems
  }

  read(root: unknown): MachineEntry[] {
    if (!isFields(root)) return this.#wrong('', 'write a mapping with hosts')
    this.#checkKeys(root, '', ['hosts', 'defaults'])
    const shared = this.#shared(isFields(root.defaults) ? root.defaults : {}, 'defaults', this.#defaults)
    if (root.defaults !== undefined && !isFields(root.defaults)) this.#wrong('defaults', 'write a mapping')
    if (isFields(root.defaults)) this.#checkKeys(root.defaults, 'defaults', sharedKeys)
    if (!Array.isArray(root.hosts) || root.hosts.length === 0)
      return this.#problems.length > 0 ? [] : this.#wrong('hosts', 'write a list with at least one host')
    const entries = root.hosts.flatMap((each, index) => this.#entry(each, `hosts[${index}]`, shared))
    for (const each of twinsIn(entries)) this.#wrong('hosts', each)
    return entries
  }

  #entry(value: unknown, path: string, shared: MachineDefaults): MachineEntry[] {
    const fields = typeof value === 'string' ? { host: value } : value
    if (!isFields(fields)) return this.#wrong(path, 'write a host name, or a mapping with host')
    this.#checkKeys(fields, path, [...entryKeys, ...sharedKeys])
    const { user, port, ...rest } = this.#shared(fields, path, shared)
    const host = this.#text(fields, 'host', path)
    if (host === undefined) return fields.host === undefined ? this.#wrong(`${path}.host`, 'is missing') : []
    try {
      const target = parseSshTarget(host, { user, port })
      const own = Object.fromEntries(
        (['node', 'address', 'hostKey'] as const).flatMap((key) => {
          const text = this.#text(fields, key, path)
          return text === undefined ? [] : [[key, text]]
        }),
      )
      return [{ target, ...rest, ...own }]
    } catch (error) {
      return this.#wrong(`${path}.host`, (error as Error).message)
    }
  }

  #shared(fields: Fields, path: string, base: MachineDefaults): MachineDefaults {
    const key = this.#text(fields, 'key', path)
    const group = this.#text(fields, 'group', path)
    const network = this.#driver(fields, path)
    return {
      ...base,
      user: this.#text(fields, 'user', path) ?? base.user,
      port: this.#port(fields, 'port', path) ?? base.port,
      login: key === undefined ? base.login : { ...base.login, keyFile: key },
      labels: { ...base.labels, ...this.#labels(fields.labels, `${path}.labels`) },
      ...(group === undefined ? {} : { group }),
      ...(network === undefined ? {} : { network }),
      gateway: this.#flag(fields, 'gateway', path) ?? base.gateway,
      httpPort: this.#port(fields, 'httpPort', path) ?? base.httpPort,
      httpsPort: this.#port(fields, 'httpsPort', path) ?? base.httpsPort,
    }
  }

  #labels(value: unknown, path: string): Record<string, string> {
    if (value === undefined) return {}
    if (!isFields(value)) return this.#wrong(path, 'write a mapping of labels') as never
    const labels: Record<string, string> = {}
    for (const [key, each] of Object.entries(value)) {
      if (['string', 'number', 'boolean'].includes(typeof each)) labels[key] = String(each)
      else this.#wrong(`${path}.${key}`, 'write a text')
    }
    return labels
  }

  #text(fields: Fields, key: string, path: string): string | undefined {
    const value = fields[key]
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    this.#wrong(`${path}.${key}`, 'write a text')
    return undefined
  }

  #driver({ network }: Fields, path: string): NetworkDriver | undefined {
    const driver = networkDrivers.find((each) => each === network)
    if (network !== undefined && driver === undefined)
      this.#wrong(`${path}.network`, `write ${networkDrivers.join(' or ')}`)
    return driver
  }

  #flag(fields: Fields, key: string, path: string): boolean | undefined {
    const value = fields[key]
    if (value === undefined || typeof value === 'boolean') return value
    this.#wrong(`${path}.${key}`, 'write true or false')
    return undefined
  }

  #port(fields: Fields, key: string, path: string): number | undefined {
    const value = fields[key]
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value
    this.#wrong(`${path}.${key}`, 'write a port from 0 to 65535')
    return undefined
  }

  #checkKeys(fields: Fields, path: string, known: readonly string[]): void {
    for (const key of Object.keys(fields).filter((each) => !known.includes(each))) {
      const meant = closest(key, known)
      const hint = /password|passphrase/i.test(key)
        ? '; give --password-file or --sudo-password-file, so that no password stands in this file'
        : meant === undefined
          ? `; there are: ${known.join(', ')}`
          : `; did you mean ${meant}?`
      this.#wrong(path === '' ? key : `${path}.${key}`, `is not known${hint}`)
    }
  }

  #wrong(path: string, what: string): [] {
    this.#problems.push(path === '' ? what : `${path}: ${what}`)
    return []
  }
}

/** What is there twice: a machine that is brought in by two at once would be spoilt. */
export function twinsIn(entries: readonly Pick<MachineEntry, 'target' | 'node'>[]): string[] {
  const twins = (what: string, values: readonly (string | undefined)[]): string[] => {
    const named = values.filter((value) => value !== undefined)
    return [...new Set(named.filter((value, at) => named.indexOf(value) !== at))].map(
      (value) => `${what} ${value} is there twice`,
    )
  }
  return [
    ...twins(
      'host',
      entries.map(({ target }) => `${target.host}:${target.port}`),
    ),
    ...twins(
      'node',
      entries.map(({ node }) => node),
    ),
  ]
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
