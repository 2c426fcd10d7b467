import { canonicalJson } from '../build/canonical-json.ts'
import type { Json, NodeConfig } from './node-config.ts'

/** `docker/log-driver`, `sysctl/net.core.somaxconn`, `package/chrony`, `file/etc/motd` */
export type ItemKey = string
export type ItemKind = 'package' | 'file' | 'sysctl' | 'docker'
/** `null`: it is not there. */
export type ItemValue = Json
export type Items = Readonly<Record<ItemKey, ItemValue>>

/** In the order in which they are changed; the way back goes the other way. */
export const itemKinds: readonly ItemKind[] = ['package', 'file', 'sysctl', 'docker']

export const kindOf = (key: ItemKey): ItemKind => key.slice(0, key.indexOf('/')) as ItemKind
/** Without its kind; a file's is its absolute path. */
export const nameOf = (key: ItemKey): string => {
  const at = key.indexOf('/')
  return kindOf(key) === 'file' ? key.slice(at) : key.slice(at + 1)
}

/** Values that the configuration asks for, by item. */
export function itemsOf({ docker, sysctls, packages, files }: NodeConfig): Items {
  const entries: [ItemKey, ItemValue][] = [
    ...packages.map((name): [string, Json] => [`package/${name}`, true]),
    ...Object.entries(files).map(([path, { content, mode, owner }]): [string, Json] => [
      `file${path}`,
      { content, mode, owner },
    ]),
    ...Object.entries(sysctls).map(([name, value]): [string, Json] => [`sysctl/${name}`, value]),
    ...Object.entries(docker).map(([name, value]): [string, Json] => [`docker/${name}`, value]),
  ]
  return Object.fromEntries(entries)
}

export const sameValue = (one: ItemValue, other: ItemValue): boolean => canonicalJson(one) === canonicalJson(other)

const unions: ReadonlySet<ItemKey> = new Set(['docker/registry-mirrors', 'docker/insecure-registries'])

/** What a machine that had `base` gets: lists of registries keep the machine's own. */
export function effectiveValue(key: ItemKey, wanted: ItemValue, base: ItemValue): ItemValue {
  if (!unions.has(key) || !Array.isArray(wanted) || !Array.isArray(base)) return wanted
  return [...wanted, ...base.filter((own) => !wanted.some((each) => sameValue(each, own)))]
}
