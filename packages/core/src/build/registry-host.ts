import { BerthError } from '../model/berth-error.ts'

/** What Docker takes names without a host from. */
export const defaultRegistry = 'docker.io'

const pattern = /^(?=.{1,253}(:|$))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$/
const namesOfDefault: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'hub.docker.com',
])

/** What Docker takes for a host at the beginning of an image's name: with a dot, a port, or `localhost`; else it is a folder. */
const isHost = (part: string): boolean => /[.:]/.test(part) || part === 'localhost'

/** Where an image comes from: `registry.example:5000` of `registry.example:5000/team/app:1`, `docker.io` of `node:26-slim`. */
export function registryOf(reference: string): string {
  const slash = reference.indexOf('/')
  const first = slash === -1 ? '' : reference.slice(0, slash)
  return isHost(first) ? canonical(first.toLowerCase()) : defaultRegistry
}

/** A registry as people write it (`https://registry.example/v2/`, `index.docker.io`) by its one name. Throws `registry.invalid-host`. */
export function readRegistryHost(text: string): string {
  const host = text
    .trim()
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/\/(v[12]\/?)?$/, '')
  if (pattern.test(host) && isHost(host)) return canonical(host)
  const hint = pattern.test(host)
    ? `; Docker takes a name without a dot or a port for a folder of ${defaultRegistry}`
    : ''
  throw new BerthError(
    'registry.invalid-host',
    `${JSON.stringify(text)} is no registry's host, such as registry.example.com or registry:5000${hint}`,
  )
}

const canonical = (host: string): string => (namesOfDefault.has(host) ? defaultRegistry : host)

/** The repository in its registry of an image's name: `team/app` of `registry.example:5000/team/app:1@sha256:…`, `library/node` of `node:26`. */
export function repositoryOf(reference: string): string {
  const slash = reference.indexOf('/')
  const hasHost = slash !== -1 && isHost(reference.slice(0, slash))
  const name = (hasHost ? reference.slice(slash + 1) : reference).replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  return registryOf(reference) === defaultRegistry && !name.includes('/') ? `library/${name}` : name
}
