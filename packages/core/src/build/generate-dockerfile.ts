import { BerthError } from '../model/berth-error.ts'
import { argName, envValue, execForm, labelPair, sourceWord, targetWord } from './dockerfile-words.ts'
import { isImageReference } from './image-reference.ts'
import { type LevelCopy, levelFolder } from './level.ts'

/** Where generated Dockerfiles expect things in the build context, and so where `build-context` puts them. */
export const contextPaths = {
  dockerfile: 'Dockerfile',
  /** The repository, as it is at the commit. */
  source: 'src/',
  /** Again the dependency files, with their folders: so no name of a file ever stands in a Dockerfile. */
  dependencies: 'dependencies/',
  /** A level's `files/`. */
  files: 'files/',
  /** Scripts, laid out as in the image: `berth/levels/01-base/static.sh`, `berth/entrypoint`. */
  berth: 'berth/',
} as const

export const entrypointPath = '/berth/entrypoint'

export interface LevelScripts {
  /** A script with `#!` is run by what it names, any other by `/bin/sh -e`. */
  readonly static?: 'own-interpreter' | 'sh'
  readonly hasRuntime: boolean
  readonly hasFiles: boolean
}

export interface LevelDockerfile {
  /** Tag of the level below, id of the foreign base image, or `scratch`. */
  readonly parent: string
  readonly position: number
  readonly name: string
  readonly packages: readonly string[]
  /** `from` is an image id by now. */
  readonly copy: readonly LevelCopy[]
  readonly env: Readonly<Record<string, string>>
  readonly scripts: LevelScripts
  readonly labels: Readonly<Record<string, string>>
}

/** The Dockerfile of one level's image. */
export const generateLevelDockerfile = (level: LevelDockerfile): string =>
  lines([
    from(level.parent),
    ...Object.entries(level.env).map(([name, value]) => `ENV ${name}=${envValue(name, value)}`),
    ...level.copy.map(
      ({ from, path, to }) => `COPY --from=${image(from)} ${execForm([sourceWord(path), targetWord(to)])}`,
    ),
    ...filesLine(level.scripts),
    ...packageLines(level.packages),
    ...scriptLines(level.position, level.name, level.scripts),
    ...labelLine(level.labels),
  ])

export interface AppDockerfile {
  /** Tag of the chain's last level, id of the foreign base image, or `scratch`. */
  readonly parent: string
  /** Of the app's own level: one more than the chain's last. */
  readonly position: number
  readonly scripts: LevelScripts
  /** Any level of the chain, or the app's own, has a runtime.sh. */
  readonly needsEntrypoint: boolean
  /** Names of build arguments; their values go with the build request. */
  readonly args: readonly string[]
  readonly hasDependencyFiles: boolean
  readonly dependencyRun: readonly string[]
  readonly run: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/**
 * The Dockerfile of an app. Ordered so that what changes rarely comes first: the app's own level, then its dependencies, then its
 * source. Without any runtime.sh there is no entrypoint, so that images without a shell work too.
 */
export const generateAppDockerfile = (app: AppDockerfile): string =>
  lines([
    from(app.parent),
    ...app.args.map((name) => `ARG ${argName(name)}`),
    ...filesLine(app.scripts),
    ...scriptLines(app.position, 'app', app.scripts),
    'WORKDIR /app',
    ...(app.hasDependencyFiles ? [`COPY ["${contextPaths.dependencies}","/app/"]`] : []),
    ...app.dependencyRun.map(shellLine),
    `COPY ["${contextPaths.source}","/app/"]`,
    ...app.run.map(shellLine),
    ...(app.needsEntrypoint ? [`COPY ["${contextPaths.berth}entrypoint","${entrypointPath}"]`] : []),
    `ENTRYPOINT ${execForm(app.needsEntrypoint ? [entrypointPath] : [])}`,
    ...labelLine(app.labels),
  ])

/** One instruction, since each is a step of its own; the last, since it changes with every commit. */
function labelLine(labels: Readonly<Record<string, string>>): string[] {
  const pairs = Object.entries(labels).map(([name, value]) => labelPair(name, value))
  return pairs.length === 0 ? [] : [`LABEL ${pairs.join(' ')}`]
}

/** A failing line of several ends the step. */
const shellLine = (command: string): string => `RUN ${execForm(['/bin/sh', '-ec', command])}`

const filesLine = ({ hasFiles }: LevelScripts): string[] => (hasFiles ? [`COPY ["${contextPaths.files}","/"]`] : [])

/** The static script alone is copied before it runs, so that a changed runtime.sh does not run it again. */
function scriptLines(position: number, name: string, scripts: LevelScripts): string[] {
  const folder = levelFolder(position, name)
  const copy = (script: string) => `COPY ${execForm([`${folder.slice(1)}/${script}`, `${folder}/${script}`])}`
  const path = `${folder}/static.sh`
  const argv = scripts.static === 'sh' ? ['/bin/sh', '-e', path] : [path]
  return [
    ...(scripts.static === undefined ? [] : [copy('static.sh'), `RUN ${execForm(argv)}`]),
    ...(scripts.hasRuntime ? [copy('runtime.sh')] : []),
  ]
}

const packageNamePattern = /^[A-Za-z0-9][A-Za-z0-9.+:=~_-]*$/

function packageLines(packages: readonly string[]): string[] {
  if (packages.length === 0) return []
  const bad = packages.find((name) => !packageNamePattern.test(name))
  if (bad !== undefined) throw new BerthError('build.invalid-text', `${JSON.stringify(bad)} cannot name a package`)
  return [`RUN ${execForm(['/bin/sh', '-ec', installScript, 'install', ...packages])}`]
}

/** The names are arguments of the script, never part of it. */
const installScript = [
  'if command -v apt-get >/dev/null; then apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" && rm -rf /var/lib/apt/lists/*',
  'elif command -v apk >/dev/null; then apk add --no-cache "$@"',
  'elif command -v dnf >/dev/null; then dnf install -y "$@" && dnf clean all',
  'elif command -v microdnf >/dev/null; then microdnf install -y "$@" && microdnf clean all',
  'else echo "berth: this image has none of apt-get, apk, dnf and microdnf to install: $*" >&2; exit 1; fi',
].join('\n')

const from = (parent: string): string => `FROM ${parent === 'scratch' ? parent : image(parent)}`

function image(reference: string): string {
  if (isImageReference(reference)) return reference
  throw new BerthError('build.invalid-text', `${JSON.stringify(reference)} is no image reference`)
}

const lines = (instructions: readonly string[]): string => `${instructions.join('\n')}\n`
