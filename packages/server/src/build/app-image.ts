import dockerignore from '@balena/dockerignore'
import type { BuildRequest } from '@berth/api'
import { BerthError, type BuildSpec, buildInputsDigest, foreignImages, generateAppDockerfile } from '@berth/core'
import type { SourceCommit, SourceStore } from '../source/source-store.ts'
import { buildContext } from './build-context.ts'
import type { BuildSession } from './build-session.ts'
import {
  buildLevels,
  entrypointFile,
  levelContext,
  limitsOf,
  proxyArgs,
  resolveChain,
  scriptsOf,
  sha256,
} from './image-chain.ts'
import type { Levels } from './levels.ts'

/** An app's image before it is built: what it would be made of, and how to make it. */
export interface AppImage {
  readonly inputs: string
  /** Names of the levels that it stands on. */
  readonly levels: readonly string[]
  /** Resolves to the image's id. */
  make(): Promise<string>
}

export interface AppImageOptions {
  readonly at: SourceCommit
  readonly sources: SourceStore
  readonly levels: Levels
  readonly session: BuildSession
}

type Of<T extends BuildSpec['type']> = Extract<BuildSpec, { type: T }>

/** Reads all that goes into the image, and builds nothing. */
export const planImage = (spec: BuildSpec, options: AppImageOptions): Promise<AppImage> =>
  planners[spec.type](spec as never, options)

const planners: { [T in BuildSpec['type']]: (spec: Of<T>, options: AppImageOptions) => Promise<AppImage> } = {
  chain: planChain,
  dockerfile: planDockerfile,
  image: planReady,
}

/** A ready image is only looked up, and pulled where it is missing. */
async function planReady(spec: Of<'image'>, { session }: AppImageOptions): Promise<AppImage> {
  const image = await session.resolveImage(spec.image, 'image')
  return { inputs: sha256(`image ${image}`), levels: [], make: async () => image }
}

async function planChain(spec: Of<'chain'>, options: AppImageOptions): Promise<AppImage> {
  const { at, sources, levels, session } = options
  const { signal } = session
  await checkDependencyFiles(spec.dependencyFiles, options)
  const chain = await resolveChain(await levels.chain(at, spec.base, spec.runtimes, { signal }), session)
  const own = await levels.appLevel(at, { signal })
  const inputs = buildInputsDigest({ tree: at.tree, chain: [chain.digest], settings: spec }, sha256)
  const position = chain.levels.length + 1
  const needsEntrypoint = [...chain.levels.map(({ level }) => level), own].some(
    ({ content }) => content.runtimeScript !== undefined,
  )
  const dockerfile = generateAppDockerfile({
    parent: chain.top,
    position,
    scripts: scriptsOf(own.content),
    needsEntrypoint,
    args: Object.keys(spec.args),
    hasDependencyFiles: spec.dependencyFiles.length > 0,
    dependencyRun: spec.dependencyRun,
    run: spec.run,
    labels: labelsOf(options, inputs),
  })
  const includes = await ignoreFilter(options, [])
  return {
    inputs,
    levels: chain.levels.map(({ tag }) => tag),
    make: async () => {
      await buildLevels(chain, spec.limits, session)
      const { files, trees } = levelContext(own, position, signal)
      const source = {
        open: () => sources.archive(at, { signal }),
        prefix: 'src/',
        includes,
        again: { prefix: 'dependencies/', paths: spec.dependencyFiles },
      }
      const all = [
        { path: 'Dockerfile', mode: 0o644, content: dockerfile },
        ...files,
        ...(needsEntrypoint ? [entrypointFile] : []),
      ]
      return session.build(
        requestOf(spec, options, { dockerfile: 'Dockerfile', labels: {} }),
        buildContext(all, [...trees, source]),
      )
    },
  }
}

/** The owner's Dockerfile, with the repository as its context, as `docker build` would do it. */
async function planDockerfile(spec: Of<'dockerfile'>, options: AppImageOptions): Promise<AppImage> {
  const { at, sources, session } = options
  const { signal } = session
  const text = await sources.readFile(at, spec.dockerfile, { signal })
  if (text === undefined)
    throw new BerthError(
      'build.dockerfile-missing',
      `there is no ${spec.dockerfile} at ${at.commit}, which build.dockerfile names`,
    )
  const bases: string[] = []
  for (const image of foreignImages(text, spec.args))
    bases.push(await session.resolveImage(image, `${spec.dockerfile}: base image`))
  const inputs = buildInputsDigest({ tree: at.tree, chain: bases, settings: spec }, sha256)
  const includes = await ignoreFilter(options, [spec.dockerfile, '.dockerignore'])
  const target = spec.target === undefined ? {} : { target: spec.target }
  const request = requestOf(spec, options, {
    dockerfile: spec.dockerfile,
    labels: labelsOf(options, inputs),
    ...target,
  })
  const make = () =>
    session.build(request, buildContext([], [{ open: () => sources.archive(at, { signal }), prefix: '', includes }]))
  return { inputs, levels: [], make }
}

const labelsOf = ({ at, session }: AppImageOptions, inputs: string): Record<string, string> => ({
  'berth.app': session.app,
  'berth.commit': at.commit,
  'berth.builder': session.builder,
  'berth.inputs': inputs,
})

/** One name an image, for ever: an image that a release runs must not lose its name to the next build of the same commit. */
function requestOf(
  { args, limits }: Of<'chain' | 'dockerfile'>,
  { at, session }: AppImageOptions,
  more: Pick<BuildRequest, 'dockerfile' | 'labels' | 'target'>,
): BuildRequest {
  const commit = at.commit
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 12)
  return {
    ...limitsOf(limits),
    ...more,
    id: session.id,
    app: session.app,
    tag: `berth/app-${session.app}:${commit}-${session.id}`,
    args: { ...proxyArgs(limits), ...args },
    noCache: session.noReuse,
  }
}

async function checkDependencyFiles(
  paths: readonly string[],
  { at, sources, session }: AppImageOptions,
): Promise<void> {
  const { signal } = session
  const missing: string[] = []
  for (const path of paths) {
    const isFile = (await sources.readFile(at, path, { signal, maxBytes: maxDependencyBytes })) !== undefined
    if (!isFile && (await sources.list(at, path, { signal })).length === 0) missing.push(path)
  }
  if (missing.length === 0) return
  const message = `build.dependencies.files names what is not in the repository at ${at.commit.slice(0, 12)}: ${missing.join(', ')}`
  throw new BerthError('build.dependency-file-missing', message)
}

/** Lock files of large projects have some megabytes. */
const maxDependencyBytes = 64 * 1024 ** 2

/** What `.dockerignore` leaves in. `always` is what Docker itself needs. */
async function ignoreFilter(
  { at, sources, session }: AppImageOptions,
  always: readonly string[],
): Promise<(path: string) => boolean> {
  const text = await sources.readFile(at, '.dockerignore', { signal: session.signal })
  if (text === undefined) return () => true
  const rules = dockerignore.default({ ignorecase: false }).add(text)
  return (path) => always.includes(path) || !rules.ignores(path)
}
