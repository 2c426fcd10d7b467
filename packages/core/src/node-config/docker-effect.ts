import { kindOf, nameOf } from './config-items.ts'
import type { ItemChange } from './plan-items.ts'

/** What dockerd has to be told of changes of its configuration. */
export type DockerEffect = 'none' | 'reload' | 'restart'

/** Keys that dockerd takes up when it is told to reload (https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior). */
const reloadable: ReadonlySet<string> = new Set([
  'authorization-plugins',
  'debug',
  'default-runtime',
  'features',
  'insecure-registries',
  'labels',
  'live-restore',
  'max-concurrent-downloads',
  'max-concurrent-uploads',
  'max-download-attempts',
  'registry-mirrors',
  'runtimes',
  'shutdown-timeout',
])

export const isReloadable = (option: string): boolean => reloadable.has(option)

export function dockerEffect(changes: readonly ItemChange[]): DockerEffect {
  const keys = changes.filter(({ key }) => kindOf(key) === 'docker').map(({ key }) => nameOf(key))
  if (keys.length === 0) return 'none'
  return keys.every(isReloadable) ? 'reload' : 'restart'
}
