import { formatProblems, type LogLine, parseSpec } from '@berth/api'
import { type AppSpec, BerthError, type ChosenBuildNode, messageOf, shortCommit } from '@berth/core'
import type { Logger } from 'pino'
import type { BuildOutcome, BuildRunner, BuildSource, SpecReader } from '../controllers/build-port.ts'
import { KeyedLock } from '../source/keyed-lock.ts'
import { parseRepository, redactorOf } from '../source/repository-location.ts'
import type { SourceCommit, SourceStore } from '../source/source-store.ts'
import { abortable } from '../store/abortable.ts'
import { type AppImage, planImage } from './app-image.ts'
import type { BuildOutputs, TailOptions } from './build-outputs.ts'
import type { BuildAgents, KnownImage, ReuseIndex } from './build-ports.ts'
import { BuildSession } from './build-session.ts'
import { Levels } from './levels.ts'
import type { OutputWriter } from './output-writer.ts'

export interface BuilderOptions {
  readonly sources: SourceStore
  readonly outputs: BuildOutputs
  readonly agents: BuildAgents
  readonly reuse: ReuseIndex
  /** Folders of levels, after those of the app's repository: the server's own, then those that ship with Berth. */
  readonly levelDirs: readonly string[]
  /** For the label `berth.builder`: `berth/0.1.0`. */
  readonly builder: string
  readonly log: Logger
}

export interface Builder extends BuildRunner, SpecReader {
  /** The lines that a build printed; with `follow` also those to come. */
  tailBuildOutput(id: string, options: TailOptions): AsyncIterable<LogLine>
}

export const createBuilder = (options: BuilderOptions): Builder => new ChainBuilder(options)

type Run = Parameters<BuildRunner['run']>

/** What every step of one run needs. */
interface Job {
  readonly build: Run[0]
  readonly signal: AbortSignal
  readonly onProgress: Run[1]['onProgress']
  readonly output: OutputWriter
}

const specFile = 'berth.yaml'
const maxRemembered = 200

class ChainBuilder implements Builder {
  readonly #options: BuilderOptions
  readonly #levels: Levels
  readonly #levelLocks = new KeyedLock()
  /** By node and inputs: a second build of the same waits for the first, and takes its image. */
  readonly #underWay = new Map<string, Promise<unknown>>()
  /** By inputs, the last images made here: the index may not know them for a moment. */
  readonly #made = new Map<string, KnownImage>()

  constructor(options: BuilderOptions) {
    this.#options = options
    this.#levels = new Levels({ sources: options.sources, dirs: options.levelDirs })
  }

  tailBuildOutput(id: string, options: TailOptions): AsyncIterable<LogLine> {
    return this.#options.outputs.tail(id, options)
  }

  async readSpec(source: BuildSource, { signal }: { readonly signal?: AbortSignal }) {
    const at = await this.#options.sources.fetch({ ...source, signal })
    return { commit: at.commit, subject: at.subject, spec: await this.#specOf(at, signal) }
  }

  async run(build: Run[0], { signal, onProgress }: Run[1]): Promise<BuildOutcome> {
    const output = await this.#options.outputs.start(build.id)
    const redact = redactorFor(build)
    try {
      const outcome = await this.#run({ build, signal, onProgress, output })
      await output.write(system(outcome.reused ? `reused ${outcome.image}` : `made ${outcome.image}`))
      return outcome
    } catch (error) {
      const reason = signal.aborted ? signal.reason : error
      // The build waits for a node a while, as after an agent's restart: that has not failed yet.
      const mark = reason instanceof BerthError && reason.code === 'build.no-node' ? 'not yet' : 'failed'
      await output.write(system(`${mark}: ${redact(messageOf(reason))}`))
      throw reason
    } finally {
      await output[Symbol.asyncDispose]().catch((error: unknown) =>
        this.#options.log.error(
          { err: error, build: build.id },
          `keep the output of build ${build.id}: ${messageOf(error)}`,
        ),
      )
    }
  }

  async #run(job: Job): Promise<BuildOutcome> {
    const { build, signal, output, onProgress } = job
    const { sources, agents, builder } = this.#options
    await output.write(system(`fetching ${build.ref} of ${redactorFor(build)(build.repository)}`))
    const at = await sources.fetch({ ...build, signal })
    const { commit, subject } = at
    await output.write(system(`commit ${commit} by ${at.author}: ${subject}`))
    onProgress({ commit, subject })
    const spec = await this.#specOf(at, signal)
    const { name: node, kind } = agents.pickNode(build)
    await output.write(system(`on node ${node}${whyThere[kind]}`))
    const { id, app, noReuse } = build
    const session = new BuildSession({
      ...{ id, app, node, noReuse, builder, agents, output, signal },
      levelLocks: this.#levelLocks,
    })
    const image = await planImage(spec.build, { at, sources, levels: this.#levels, session })
    const { inputs, levels } = image
    onProgress({ inputs, node, ...(levels.length === 0 ? {} : { levels }) })
    const made = await this.#makeOnce(image, session)
    return { commit, subject, author: at.author, committedAt: at.at, spec, inputs, node, ...made }
  }

  /** The image of these inputs: one that was built before, one that is being built, or a new one. */
  async #makeOnce(image: AppImage, session: BuildSession): Promise<{ image: string; reused: boolean; node?: string }> {
    const key = `${session.node} ${image.inputs}`
    for (;;) {
      const known = await this.#find(image.inputs, session)
      if (known !== undefined) return known
      const other = this.#underWay.get(key)
      if (other === undefined || session.noReuse) break
      await session.say('the same inputs are being built already; waiting for that image')
      const made = await abortable(other, session.signal)
      if (typeof made === 'string') return { image: made, reused: true }
    }
    const making = image.make()
    this.#underWay.set(
      key,
      making.catch(() => undefined),
    )
    try {
      const made = await making
      this.#remember(image.inputs, { image: made, node: session.node })
      return { image: made, reused: false }
    } finally {
      this.#underWay.delete(key)
    }
  }

  async #find(inputs: string, session: BuildSession) {
    if (session.noReuse) return undefined
    const recent = this.#made.get(inputs)
    const candidates = [...(recent === undefined ? [] : [recent]), ...this.#options.reuse.find(inputs)]
    for (const { image, node = session.node } of candidates) {
      const isThere = await this.#options.agents
        .imageExists(node, image, { signal: session.signal })
        // A node that is away cannot give its image; the next one may.
        .catch((error: unknown) => (session.signal.aborted ? Promise.reject(error) : false))
      if (isThere) return { image, node, reused: true }
    }
    return undefined
  }

  #remember(inputs: string, image: KnownImage): void {
    this.#made.delete(inputs)
    this.#made.set(inputs, image)
    const [oldest] = this.#made.keys()
    if (this.#made.size > maxRemembered && oldest !== undefined) this.#made.delete(oldest)
  }

  async #specOf(at: SourceCommit, signal: AbortSignal | undefined): Promise<AppSpec> {
    const text = await this.#options.sources.readFile(at, specFile, { signal })
    const commit = shortCommit(at.commit)
    if (text === undefined) {
      const message = `there is no ${specFile} at ${commit} of ${at.repository}: run berth init in the repository, commit it, deploy again`
      throw new BerthError('build.spec-missing', message)
    }
    const { spec, problems } = parseSpec(text)
    if (spec === undefined) {
      const message = `${specFile} at ${commit} has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${formatProblems(problems, specFile, text)}`
      throw new BerthError('spec.invalid', message, { details: { problems } })
    }
    if (spec.app === at.app) return spec
    throw new BerthError(
      'build.app-mismatch',
      `${specFile} at ${commit} is of app "${spec.app}", not of "${at.app}": deploy it under its own name`,
    )
  }
}

const whyThere: Readonly<Record<ChosenBuildNode['kind'], string>> = {
  builder: ', which is labelled build=true',
  shared: '',
  bound: ', whose cores have owners: there is none in a shared group that could',
}

const system = (line: string): LogLine => ({ at: Date.now(), stream: 'system', line })

/** Takes the repository's password out of a text; one that cannot be parsed is refused before it is used. */
function redactorFor({ repository, vcs }: BuildSource): (text: string) => string {
  try {
    const location = parseRepository(repository, vcs)
    return redactorOf(location.type === 'url' ? location.credentials : undefined)
  } catch {
    return redactorOf(undefined)
  }
}
