import type { ConfigFile, SecretReference, VolumeSpec } from '../model/app-spec.ts'
import { isName, isSecretName, nameRule, proposeName, secretNameRule } from '../model/names.ts'
import { parseAbsolutePath, parseMountPath } from './absolute-path.ts'
import { specDefaults } from './defaults.ts'
import { checkVariableName, compareText, given, readBytes, requireKey } from './read-values.ts'
import type { ConfigDocument, EntrypointDocument, VolumeDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

/** Everything that is put into the container's file system. */
export interface Mounts {
  readonly secrets: readonly SecretReference[]
  readonly config: readonly ConfigFile[]
  readonly volumes: readonly VolumeSpec[]
}

export function canonicalMounts(issues: IssueList, path: SpecPath, document: EntrypointDocument): Mounts {
  const taken = new Map<string, string>()
  return {
    secrets: canonicalSecrets(issues, [...path, 'secrets'], document.secrets),
    config: canonicalConfig(issues, [...path, 'config'], document.config, taken),
    volumes: canonicalVolumes(issues, [...path, 'volumes'], document.volumes, taken),
  }
}

function canonicalSecrets(
  issues: IssueList,
  path: SpecPath,
  list: EntrypointDocument['secrets'],
): readonly SecretReference[] {
  const files = new Set<string>()
  const variables = new Set<string>()
  const secrets: SecretReference[] = []
  for (const [index, item] of given(list)) {
    const at = (key: string): SpecPath => (typeof item === 'string' ? [...path, index] : [...path, index, key])
    const { name, file = name, env } = typeof item === 'string' ? { name: item } : item
    if (env !== undefined) checkVariableName(issues, at('env'), env, false)
    if (env !== undefined && variables.has(env)) issues.add(at('env'), `the variable ${env} is given twice`)
    if (!requireKey(issues, [...path, index], 'name', name) || file === undefined) continue
    if (!isSecretName(name))
      issues.add(at('name'), `${JSON.stringify(name)} cannot name a secret: use ${secretNameRule}`)
    else if (!isSecretName(file))
      issues.add(at('file'), `${JSON.stringify(file)} cannot name a file below /run/secrets: use ${secretNameRule}`)
    if (files.has(file)) issues.add(at('file'), `the file /run/secrets/${file} is given twice`)
    files.add(file)
    if (env !== undefined) variables.add(env)
    secrets.push(env === undefined ? { name, file } : { name, file, env })
  }
  return secrets.sort((a, b) => compareText(a.file, b.file))
}

function canonicalConfig(
  issues: IssueList,
  path: SpecPath,
  files: EntrypointDocument['config'],
  taken: Map<string, string>,
): readonly ConfigFile[] {
  const config = Object.entries(files ?? {}).flatMap(([name, file]): ConfigFile[] => {
    const at = [...path, name]
    const place = issues.take(at, parseMountPath(name))
    if (place !== undefined) claim(issues, at, place, `the config file ${name}`, taken)
    if (file === undefined) return []
    const { content, mode } = typeof file === 'string' ? ({ content: file } as ConfigDocument) : file
    const bits = mode === undefined ? specDefaults.configMode : issues.take([...at, 'mode'], parseMode(String(mode)))
    if (!requireKey(issues, at, 'content', content) || place === undefined || bits === undefined) return []
    return [{ path: place, content, mode: bits }]
  })
  return config.sort((a, b) => compareText(a.path, b.path))
}

/** `0644`, `644`, `0o644` */
function parseMode(text: string): Parsed<number> {
  const digits = /^(?:0o?)?([0-7]{3})$/.exec(text)?.[1]
  return digits === undefined
    ? refused(`${text} is no file mode: write three octal digits, such as 0644`)
    : parsed(Number.parseInt(digits, 8))
}

function canonicalVolumes(
  issues: IssueList,
  path: SpecPath,
  list: EntrypointDocument['volumes'],
  taken: Map<string, string>,
): readonly VolumeSpec[] {
  const volumes: VolumeSpec[] = []
  for (const [index, item] of given(list)) {
    const at = [...path, index]
    const volume = typeof item === 'string' ? readShortVolume(issues, at, item) : item
    const place = volume === undefined ? undefined : mountPoint(issues, at, volume, typeof item === 'string')
    const spec = volume === undefined ? undefined : readVolume(issues, at, volume, place ?? '/')
    if (place !== undefined) claim(issues, at, place, 'a volume', taken)
    if (spec !== undefined) volumes.push(spec)
  }
  return volumes.sort((a, b) => compareText(a.path, b.path))
}

/** `data:/var/lib/data`, `/srv/files:/files:ro` */
function readShortVolume(issues: IssueList, path: SpecPath, text: string): VolumeDocument | undefined {
  const [source = '', place, mode, ...rest] = text.split(':')
  const whole = rest.length === 0 && (mode === undefined || mode === 'ro' || mode === 'rw')
  if (place === undefined || source === '' || !whole) {
    issues.add(path, `${JSON.stringify(text)} is no volume`, {
      suggestion: 'write name:/path or /path/on/the/node:/path, with :ro at the end for read-only',
    })
    return undefined
  }
  const isHost = source.startsWith('/') || source.startsWith('.')
  return { ...(isHost ? { host: source } : { name: source }), path: place, readOnly: mode === 'ro' }
}

function mountPoint(issues: IssueList, at: SpecPath, volume: VolumeDocument, short: boolean): string | undefined {
  if (!requireKey(issues, at, 'path', volume.path)) return undefined
  return issues.take(short ? at : [...at, 'path'], parseMountPath(volume.path))
}

const volumeKinds = ['name', 'host', 'tmpfs'] as const

function readVolume(issues: IssueList, at: SpecPath, volume: VolumeDocument, place: string): VolumeSpec | undefined {
  const [kind, second] = volumeKinds.filter((key) => volume[key] !== undefined)
  if (kind === undefined) {
    const suggestion = 'give `name` (kept by Berth), `host` (a directory of the node) or `tmpfs` (a size, in memory)'
    issues.add(at, 'the volume has no source', { suggestion, dependsOn: volumeKinds.map((key) => [...at, key]) })
    return undefined
  }
  if (second !== undefined) {
    issues.add([...at, second], `the volume has \`${kind}\` already: it has one source`, { atKey: true })
    return undefined
  }
  const readOnly = volume.readOnly ?? false
  if (volume.name !== undefined) return readNamedVolume(issues, at, volume.name, { path: place, readOnly })
  if (volume.host !== undefined) {
    const source = issues.take([...at, 'host'], parseAbsolutePath(volume.host))
    return source === undefined ? undefined : { type: 'host', source, path: place, readOnly }
  }
  if (readOnly) issues.add([...at, 'readOnly'], 'an empty file system that cannot be written is of no use')
  const sizeBytes = readBytes(issues, [...at, 'tmpfs'], volume.tmpfs, 0, { min: 4096 })
  return { type: 'tmpfs', path: place, sizeBytes }
}

function readNamedVolume(
  issues: IssueList,
  at: SpecPath,
  name: string,
  rest: { readonly path: string; readonly readOnly: boolean },
): VolumeSpec {
  if (!isName(name)) {
    const proposal = proposeName(name)
    const suggestion = proposal === undefined ? {} : { suggestion: `write ${proposal}` }
    issues.add([...at, 'name'], `${JSON.stringify(name)} cannot name a volume: use ${nameRule}`, suggestion)
  }
  return { type: 'named', name, ...rest }
}

function claim(issues: IssueList, path: SpecPath, place: string, what: string, taken: Map<string, string>): void {
  const other = taken.get(place)
  if (other === undefined) taken.set(place, what)
  else issues.add(path, `${place} is taken already by ${other}`)
}
