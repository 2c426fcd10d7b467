import { createHash } from 'node:crypto'
import type { BuildRequest } from '@berth/api'
import {
  type BuildLimits,
  entrypointScript,
  generateLevelDockerfile,
  type LevelContent,
  type LevelScripts,
  levelDigest,
  levelFolder,
} from '@berth/core'
import { buildContext, type ContextFile, type ContextTree } from './build-context.ts'
import type { BuildSession } from './build-session.ts'
import type { Chain, Level } from './levels.ts'

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A chain whose foundation is known by id. Nothing of it needs to have been built. */
export interface ResolvedChain {
  readonly levels: readonly ResolvedLevel[]
  /** Id of the foreign image, or `scratch`. */
  readonly foundation: string
  /** Of the whole chain: of its last level, or of the foundation. */
  readonly digest: string
  /** What the app's image is from: the last level's tag, or the foundation. */
  readonly top: string
}

export interface ResolvedLevel {
  readonly level: Level
  readonly position: number
  readonly parent: string
  readonly digest: string
  readonly tag: string
  /** Image id by reference of what it copies from. */
  readonly copied: Readonly<Record<string, string>>
}

/** Works out every level's digest, lowest first, on the node where it would be built. */
export async function resolveChain(chain: Chain, session: BuildSession): Promise<ResolvedChain> {
  const { foundation: reference } = chain
  const foundation = reference === 'scratch' ? reference : await session.resolveImage(reference, 'base image')
  const levels: ResolvedLevel[] = []
  let [digest, top] = [foundation, foundation]
  for (const [index, level] of chain.levels.entries()) {
    const { content } = level
    const copied: Record<string, string> = {}
    for (const { from } of content.manifest.copy)
      copied[from] ??= await session.resolveImage(from, `copied by level "${content.name}", image`)
    const position = index + 1
    const parent = top
    digest = levelDigest({ parent: digest, position, content, copied }, sha256)
    top = `berth/level-${content.name}:${digest.slice(0, 12)}`
    levels.push({ level, position, parent, digest, tag: top, copied })
  }
  return { levels, foundation, digest, top }
}

/** Builds the levels that the node does not have yet; two builds that need the same level at the same time build it once. */
export async function buildLevels(chain: ResolvedChain, limits: BuildLimits, session: BuildSession): Promise<void> {
  for (const level of chain.levels) {
    const key = `${session.node}/${level.tag}`
    await session.levelLocks.run(key, () => buildLevel(level, limits, session), session.signal)
  }
}

async function buildLevel(resolved: ResolvedLevel, limits: BuildLimits, session: BuildSession): Promise<void> {
  const { level, tag } = resolved
  const { name } = level.content
  if (!session.noReuse && (await session.imageExists(tag))) {
    await session.say(`level ${name}: ${tag} is there`)
    return
  }
  await session.say(`level ${name}: building ${tag} (${level.where})`)
  const request: BuildRequest = {
    ...limitsOf(limits),
    id: `${session.id}-${name}`,
    app: session.app,
    tag,
    dockerfile: 'Dockerfile',
    args: proxyArgs(limits),
    labels: {},
    noCache: session.noReuse,
  }
  const { files, trees } = levelContext(level, resolved.position, session.signal)
  const dockerfile = { path: 'Dockerfile', mode: 0o644, content: levelDockerfile(resolved, session.builder) }
  await session.build(request, buildContext([dockerfile, ...files], trees))
}

function levelDockerfile({ level, parent, position, copied, digest }: ResolvedLevel, builder: string): string {
  const { name, manifest } = level.content
  return generateLevelDockerfile({
    parent,
    position,
    name,
    packages: manifest.packages,
    copy: manifest.copy.map((each) => ({ ...each, from: copied[each.from] ?? each.from })),
    env: manifest.env,
    scripts: scriptsOf(level.content),
    labels: { 'berth.level': name, 'berth.level.digest': digest, 'berth.builder': builder },
  })
}

export const scriptsOf = ({ staticScript, runtimeScript, files }: LevelContent): LevelScripts => ({
  ...(staticScript === undefined ? {} : { static: staticScript.startsWith('#!') ? 'own-interpreter' : 'sh' }),
  hasRuntime: runtimeScript !== undefined,
  hasFiles: files.length > 0,
})

/** A level's own part of a build context. */
export function levelContext(
  level: Level,
  position: number,
  signal: AbortSignal,
): { readonly files: ContextFile[]; readonly trees: ContextTree[] } {
  const { name, staticScript, runtimeScript, files } = level.content
  const folder = levelFolder(position, name).slice(1)
  const script = (file: string, content: string | undefined): ContextFile[] =>
    content === undefined ? [] : [{ path: `${folder}/${file}`, mode: 0o755, content }]
  return {
    files: [...script('static.sh', staticScript), ...script('runtime.sh', runtimeScript)],
    trees: files.length === 0 ? [] : [{ open: () => level.files({ signal }), prefix: 'files/' }],
  }
}

export const entrypointFile: ContextFile = { path: 'berth/entrypoint', mode: 0o755, content: entrypointScript }

export const limitsOf = ({ cpuMilli, memoryBytes, timeoutMs, network }: BuildLimits) => ({
  cpuMilli,
  memoryBytes,
  timeoutMs,
  network,
})

/** Docker knows these without a declaration, and keeps them out of the image and its cache. */
export function proxyArgs({ proxy }: BuildLimits): Record<string, string> {
  if (proxy === undefined) return {}
  return Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [name, proxy]))
}
