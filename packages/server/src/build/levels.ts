import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { BerthError, isName, type LevelContent, maxLevels, readBaseName } from '@berth/core'
import { closest } from '@berth/core/spec/closest'
import type { SourceCommit, SourceStore } from '../source/source-store.ts'
import { diskFolder, type LevelFolder, repositoryFolder } from './level-folder.ts'
import { parseLevelManifest } from './level-manifest.ts'

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** A level that was found, with the way to its files. */
export interface Level {
  readonly content: LevelContent
  readonly where: string
  /** A tar of its `files/`; only to be asked for when it has some. */
  files(options: CallOptions): Readable
}

/** What an app stands on: a foreign image (or nothing) and the levels on it, lowest first. */
export interface Chain {
  readonly foundation: string
  readonly levels: readonly Level[]
}

export interface LevelsOptions {
  readonly sources: SourceStore
  /** Looked through in this order, after the repository: the server's own levels, then those that ship with Berth. */
  readonly dirs: readonly string[]
}

const repositoryLevels = 'berth/levels'

/** Finds levels by name: the app's own repository first, then the server. */
export class Levels {
  readonly #options: LevelsOptions

  constructor(options: LevelsOptions) {
    this.#options = options
  }

  /** Throws `build.bad-base`, `build.level-not-found`, `build.level-invalid`, `build.level-repeated`. */
  async chain(at: SourceCommit, base: string, runtimes: readonly string[], options: CallOptions): Promise<Chain> {
    const below: Level[] = []
    let next = readBaseName(base)
    while (next.type === 'level') {
      const level = await this.#load(at, next.level, options)
      refuseRepeated(below, level)
      below.unshift(level)
      const { from } = level.content.manifest
      if (from === undefined) throw noFrom(level)
      next = readBaseName(from)
    }
    for (const name of runtimes) {
      const level = await this.#load(at, name, options)
      refuseRepeated(below, level)
      below.push(level)
    }
    return { foundation: next.type === 'image' ? next.reference : 'scratch', levels: below }
  }

  /** The app's own level: `berth/` in its repository, which may well be empty. */
  async appLevel(at: SourceCommit, options: CallOptions): Promise<Level> {
    const folder = repositoryFolder(this.#options.sources, at, 'berth')
    const files = await folder.list(options)
    const own = files.filter(({ path }) => !path.startsWith('levels/'))
    return readLevel('app', folder, own, options)
  }

  async #load(at: SourceCommit, name: string, options: CallOptions): Promise<Level> {
    if (!isName(name)) throw new BerthError('build.bad-base', `${JSON.stringify(name)} cannot name a level`)
    const folders = [
      repositoryFolder(this.#options.sources, at, `${repositoryLevels}/${name}`),
      ...this.#options.dirs.map((dir) => diskFolder(join(dir, name))),
    ]
    for (const folder of folders) {
      const files = await folder.list(options)
      if (files.length > 0) return readLevel(name, folder, files, options)
    }
    throw await this.#notFound(at, name, options)
  }

  async #notFound(at: SourceCommit, name: string, options: CallOptions): Promise<BerthError> {
    const own = await this.#options.sources.list(at, repositoryLevels, options)
    const names = new Set(own.map(({ path }) => path.split('/', 1)[0] ?? ''))
    for (const dir of this.#options.dirs)
      for (const each of await readdir(dir).catch(() => [])) if (isName(each)) names.add(each)
    const near = closest(name, names)
    const there = names.size === 0 ? 'there is none at all' : `there are ${[...names].sort().join(', ')}`
    return new BerthError(
      'build.level-not-found',
      `there is no level "${name}", neither in ${repositoryLevels}/ of the repository nor on the server: ${near === undefined ? there : `did you mean "${near}"? ${there}`}; an image is written with its tag, as in "${name}:latest"`,
    )
  }
}

async function readLevel(
  name: string,
  folder: LevelFolder,
  files: readonly { readonly path: string; readonly mode: number; readonly digest: string }[],
  options: CallOptions,
): Promise<Level> {
  const read = async (path: string) =>
    files.some((file) => file.path === path) ? folder.readFile(path, options) : undefined
  const manifest = parseLevelManifest(await read('level.yaml'), `level.yaml in ${folder.where}`)
  const staticScript = checkScript(await read('static.sh'), `static.sh in ${folder.where}`)
  const runtimeScript = checkScript(await read('runtime.sh'), `runtime.sh in ${folder.where}`)
  const content: LevelContent = {
    name,
    manifest,
    ...(staticScript === undefined ? {} : { staticScript }),
    ...(runtimeScript === undefined ? {} : { runtimeScript }),
    files: files
      .filter(({ path }) => path.startsWith('files/'))
      .map(({ path, mode, digest }) => ({ path: path.slice('files/'.length), mode, digest })),
  }
  return { content, where: folder.where, files: (call) => folder.archive('files', call) }
}

/** A carriage return after `#!/bin/sh` makes the kernel look for a program of that name, which nobody understands. */
function checkScript(script: string | undefined, where: string): string | undefined {
  if (script === undefined || !/^[^\n]*\r\n/.test(script)) return script
  throw new BerthError('build.level-invalid', `${where} has Windows line ends: save it with Unix line ends (LF)`)
}

function refuseRepeated(levels: readonly Level[], level: Level): void {
  const { name } = level.content
  if (levels.some(({ content }) => content.name === name))
    throw new BerthError('build.level-repeated', `level "${name}" (${level.where}) stands on itself or is named twice`)
  if (levels.length >= maxLevels)
    throw new BerthError('build.level-repeated', `more than ${maxLevels} levels stand on each other at "${name}"`)
}

const noFrom = ({ content, where }: Level): BerthError =>
  new BerthError(
    'build.level-invalid',
    `level "${content.name}" (${where}) cannot be a base: give its level.yaml a \`from\`, or name it in build.runtimes`,
  )
