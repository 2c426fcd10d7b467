import { isVariableName, proposeEntrypointName } from '@berth/core'
import { parse } from 'yaml'
import { commandLine, type DraftEntrypoint } from './draft.ts'
import { existing, isRecord, type SourceFiles } from './source-files.ts'

export interface ComposeServices {
  readonly path: string
  /** Dockerfile of the services that are built. */
  readonly dockerfile?: string
  readonly entrypoints: readonly DraftEntrypoint[]
  readonly notes: readonly string[]
}

/**
 * Services built from this repository become entrypoints. Services of ready images (databases …) are apps of their own in Berth, and
 * are only mentioned.
 */
export function readCompose(files: SourceFiles): ComposeServices | undefined {
  const path = existing(files, 'compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml')[0]
  const services = path === undefined ? undefined : composeServices(files.read(path) ?? '')
  if (path === undefined || services === undefined) return undefined
  const entrypoints: DraftEntrypoint[] = []
  const notes: string[] = []
  let dockerfile: string | undefined
  for (const [written, service] of services) {
    const name = proposeEntrypointName(written)
    if (name === undefined || entrypoints.some((each) => each.name === name)) continue
    const built = dockerfileOf(service.build)
    if (built === undefined) {
      const image = typeof service.image === 'string' ? ` (${service.image})` : ''
      notes.push(`${written}${image} is not built here: deploy it as an app of its own and reach it with \`bind\``)
    } else if (dockerfile !== undefined && dockerfile !== built) {
      notes.push(`${written} is built from ${built}: give it a berth.yaml of its own, since an app has one image`)
    } else {
      dockerfile = built
      const { entrypoint, secrets } = readService(name, service)
      entrypoints.push(entrypoint)
      for (const variable of secrets)
        notes.push(`${written}: keep ${variable} with \`berth secret set\`, and list it in \`secrets\``)
    }
  }
  return { path, entrypoints, notes, ...(dockerfile === undefined ? {} : { dockerfile }) }
}

function composeServices(text: string): [string, Readonly<Record<string, unknown>>][] | undefined {
  try {
    const document: unknown = parse(text, { maxAliasCount: 100, merge: true, logLevel: 'silent' })
    if (!isRecord(document) || !isRecord(document.services)) return undefined
    return Object.entries(document.services).filter((entry): entry is [string, Readonly<Record<string, unknown>>] =>
      isRecord(entry[1]),
    )
  } catch {
    // Whatever is wrong with it, `berth init` writes what else it finds.
    return undefined
  }
}

function dockerfileOf(build: unknown): string | undefined {
  if (typeof build === 'string') return inside(build, 'Dockerfile')
  if (!isRecord(build)) return undefined
  const file = typeof build.dockerfile === 'string' ? build.dockerfile : 'Dockerfile'
  return inside(typeof build.context === 'string' ? build.context : '.', file)
}

function inside(context: string, file: string): string | undefined {
  const steps = `${context}/${file}`.split('/').filter((step) => step !== '' && step !== '.')
  return steps.includes('..') || context.startsWith('/') ? undefined : steps.join('/')
}

function readService(
  name: string,
  service: Readonly<Record<string, unknown>>,
): { entrypoint: DraftEntrypoint; secrets: readonly string[] } {
  const ports = list(service.ports).flatMap(containerPort)
  const exposed = list(service.expose).flatMap(containerPort)
  const all = [...new Set([...ports, ...exposed])]
  const { plain, secrets } = splitEnvironment(service.environment)
  const command = commandOf(service.command)
  return {
    entrypoint: {
      name,
      ...(command === undefined ? {} : { command }),
      ...(all.length === 0 ? {} : { ports: all }),
      ...(Object.keys(plain).length === 0 ? {} : { env: plain }),
    },
    secrets,
  }
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** `8080`, `"80:8080"`, `"127.0.0.1:80:8080/tcp"`, `{target: 8080}` */
function containerPort(value: unknown): number[] {
  const text = isRecord(value) ? String(value.target) : String(value)
  const port = Number(/(?:^|:)([0-9]{1,5})(?:\/tcp)?$/.exec(text)?.[1])
  return port >= 1 && port <= 65_535 ? [port] : []
}

function commandOf(value: unknown): readonly string[] | undefined {
  if (typeof value === 'string' && value.trim() !== '') return commandLine(value)
  const words = list(value).filter((word): word is string => typeof word === 'string' && !word.includes('\0'))
  return words[0] === undefined || words[0] === '' ? undefined : words
}

const secretName = /PASS|SECRET|TOKEN|KEY|CREDENTIAL|DATABASE_URL/i

/** Values of secrets, and those that Compose fills in from elsewhere, are not copied. */
function splitEnvironment(value: unknown): { plain: Record<string, string>; secrets: string[] } {
  const pairs: [string, unknown][] = isRecord(value)
    ? Object.entries(value)
    : list(value).map((line) => {
        const [, name = '', text] = /^([^=]*)=?([\s\S]*)$/.exec(String(line)) ?? []
        return [name, text]
      })
  const plain: Record<string, string> = {}
  const secrets: string[] = []
  for (const [name, text] of pairs) {
    if (!isVariableName(name) || name.startsWith('BERTH_')) continue
    if (secretName.test(name)) secrets.push(name)
    else if (!isRecord(text) && text !== null && text !== undefined && !/\$|\0/.test(String(text)))
      plain[name] = String(text)
  }
  return { plain, secrets }
}
