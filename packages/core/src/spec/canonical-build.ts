import { isImageReference } from '../build/image-reference.ts'
import type { BuildLimits, BuildSpec } from '../model/app-spec.ts'
import { isName, nameRule } from '../model/names.ts'
import { specDefaults } from './defaults.ts'
import { checkVariableName, given, readBytes, readCpu, readDuration, readTexts, sortedRecord } from './read-values.ts'
import type { BuildDocument, SpecDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

const path: SpecPath = ['build']

/** undefined only with a mistake noted. */
export function canonicalBuild(issues: IssueList, document: SpecDocument): BuildSpec | undefined {
  const { image, build } = document
  if (image !== undefined && build !== undefined) {
    issues.add(path, '`image` is given as well: an app is either built or taken as it is', { atKey: true })
  }
  if (build !== undefined) return canonicalBuilt(issues, build)
  if (image !== undefined) {
    const reference = issues.take(['image'], parseImage(image))
    return reference === undefined ? undefined : { type: 'image', image: reference }
  }
  issues.add([], 'it is not said where the image comes from', {
    suggestion: 'add `build: {base: …}`, `build: {dockerfile: Dockerfile}` or `image: …`',
    dependsOn: [['build'], ['image']],
  })
  return undefined
}

const chainKeys = ['base', 'runtimes', 'dependencies', 'run'] as const

function canonicalBuilt(issues: IssueList, build: BuildDocument): BuildSpec | undefined {
  const args = canonicalArgs(issues, build.args)
  const limits = canonicalLimits(issues, [...path, 'limits'], build.limits)
  if (build.dockerfile === undefined) return canonicalChain(issues, build, args, limits)
  for (const key of chainKeys) {
    if (build[key] === undefined) continue
    issues.add([...path, key], `\`${key}\` has no meaning beside \`dockerfile\``, {
      atKey: true,
      suggestion: 'a Dockerfile says itself what the image is made of',
    })
  }
  const dockerfile = issues.take([...path, 'dockerfile'], parseRepositoryPath(build.dockerfile))
  const target = readTexts(issues, [...path, 'target'], build.target)[0]
  if (dockerfile === undefined) return undefined
  return { type: 'dockerfile', dockerfile, ...(target === undefined ? {} : { target }), args, limits }
}

function canonicalChain(
  issues: IssueList,
  build: BuildDocument,
  args: Readonly<Record<string, string>>,
  limits: BuildLimits,
): BuildSpec | undefined {
  if (build.target !== undefined)
    issues.add([...path, 'target'], '`target` is a stage of a Dockerfile, and none is given', { atKey: true })
  const parts = {
    runtimes: canonicalRuntimes(issues, build.runtimes),
    run: readTexts(issues, [...path, 'run'], build.run),
    dependencyFiles: canonicalDependencyFiles(issues, build),
    dependencyRun: readTexts(issues, [...path, 'dependencies', 'run'], build.dependencies?.run),
  }
  if (build.base === undefined) {
    issues.add(path, '`base` is missing: the image that everything is put on', {
      suggestion: 'add `base: node:26-slim`, a level of your own, or `dockerfile: Dockerfile` instead',
      dependsOn: [
        [...path, 'base'],
        [...path, 'dockerfile'],
      ],
      atKey: true,
    })
    return undefined
  }
  const base = issues.take([...path, 'base'], parseBase(build.base))
  return base === undefined ? undefined : { type: 'chain', base, ...parts, args, limits }
}

function canonicalRuntimes(issues: IssueList, runtimes: BuildDocument['runtimes']): readonly string[] {
  const names = readTexts(issues, [...path, 'runtimes'], runtimes)
  const at = (index: number): SpecPath =>
    typeof runtimes === 'string' ? [...path, 'runtimes'] : [...path, 'runtimes', index]
  for (const [index, name] of given(typeof runtimes === 'string' ? [runtimes] : runtimes)) {
    if (name.trim() !== '') issues.take(at(index), parseLevelName(name))
  }
  return names
}

function canonicalDependencyFiles(issues: IssueList, { dependencies }: BuildDocument): readonly string[] {
  const at = [...path, 'dependencies', 'files']
  const files = new Set<string>()
  for (const [index, file] of given(dependencies?.files)) {
    const inside = issues.take([...at, index], parseRepositoryPath(file))
    if (inside !== undefined) files.add(inside)
  }
  if (files.size === 0 && dependencies?.run !== undefined && dependencies.files === undefined)
    issues.add([...path, 'dependencies'], '`dependencies.run` has no files to work on', {
      suggestion: 'add `files: [package.json, package-lock.json]`, or move it to `run`',
      atKey: true,
    })
  return [...files].sort()
}

function canonicalArgs(issues: IssueList, args: BuildDocument['args']): Record<string, string> {
  const entries = Object.entries(args ?? {}).flatMap(([name, value]): [string, string][] => {
    checkVariableName(issues, [...path, 'args', name], name, true)
    return value === undefined ? [] : [[name, String(value)]]
  })
  return sortedRecord(entries)
}

function canonicalLimits(issues: IssueList, at: SpecPath, limits: BuildDocument['limits']): BuildLimits {
  const { cpuMilli, memoryBytes, timeoutMs, network } = specDefaults.buildLimits
  const proxy = limits?.proxy === undefined ? undefined : issues.take([...at, 'proxy'], parseProxy(limits.proxy))
  return {
    cpuMilli: readCpu(issues, [...at, 'cpu'], limits?.cpu, cpuMilli),
    memoryBytes: readBytes(issues, [...at, 'memory'], limits?.memory, memoryBytes, { min: 64 << 20 }),
    timeoutMs: readDuration(issues, [...at, 'timeout'], limits?.timeout, timeoutMs, { min: 1000 }),
    network: issues.take([...at, 'network'], parseNetwork(limits?.network ?? network)) ?? network,
    ...(proxy === undefined ? {} : { proxy }),
  }
}

const parseNetwork = (text: string): Parsed<string> =>
  ['default', 'none', 'host'].includes(text)
    ? parsed(text)
    : refused(`there is no build network called ${JSON.stringify(text)}`, 'write default, none or host')

const parseProxy = (text: string): Parsed<string> =>
  /^https?:\/\/[^\s/]+\/?$/.test(text)
    ? parsed(text)
    : refused(`${JSON.stringify(text)} is no proxy: write its address, such as http://proxy.example.com:3128`)

const parseImage = (text: string): Parsed<string> =>
  isImageReference(text)
    ? parsed(text)
    : refused(`${JSON.stringify(text.slice(0, 100))} is no image: write one such as node:26-slim`)

/** A level or an image; `build/` owns the rule that tells them apart. */
function parseBase(text: string): Parsed<string> {
  if (/[/:.]/.test(text)) return parseImage(text)
  return text === 'scratch' ? parsed(text) : parseLevelName(text)
}

function parseLevelName(text: string): Parsed<string> {
  if (isName(text) && text !== 'scratch') return parsed(text)
  const message = `${JSON.stringify(text.slice(0, 100))} cannot name a level: use ${nameRule}`
  return isImageReference(text) && text !== 'scratch'
    ? refused(message, `an image is written with its tag: ${text}:latest`)
    : refused(message)
}

/** A path inside the repository: `conf/Dockerfile`, without a leading `./`. */
function parseRepositoryPath(text: string): Parsed<string> {
  if (text.startsWith('/'))
    return refused(`${JSON.stringify(text)} is outside of the repository`, `write ${text.replace(/^\/+/, '')}`)
  const steps = text.split('/').filter((step) => step !== '' && step !== '.')
  if (steps.includes('..')) return refused(`${JSON.stringify(text)} may lead out of the repository ("..")`)
  if (steps.length === 0 || text.includes('\0')) return refused(`${JSON.stringify(text)} is no file of the repository`)
  return parsed(steps.join('/'))
}
