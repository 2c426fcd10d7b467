import { cpus } from 'node:os'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildEvent, BuildRequest } from '@berth/api'
import { BerthError, messageOf, type NodeImage } from '@berth/core'
import type { Logger } from 'pino'
import type { DockerClient } from '../engine/docker-client.ts'
import { jsonLines } from '../engine/docker-stream.ts'
import { buildCgroup, buildShares, type CgroupFacts, prepareBuildCgroup, yieldToOthers } from './build-cgroup.ts'
import { buildFailure, exitCodeOf, stepText } from './build-failure.ts'
import { BuildImages } from './build-images.ts'
import { type BuildMessage, BuildProgress } from './build-progress.ts'
import { BuildQueue } from './build-queue.ts'
import { IntermediateContainers } from './intermediate-containers.ts'

export interface ImageBuilderOptions {
  readonly client: DockerClient
  readonly log: Logger
}

export interface ImageBuilder {
  /**
   * Builds an image from a context (a tar). The last event is `done` or `failed`, also after an abort (`build.cancelled`); ending the
   * loop early cancels the build, too. When the loop has ended nothing of the build runs any more.
   *
   * Codes: `build.step-failed`, `build.out-of-memory`, `build.disk-full`, `build.base-not-found`, `build.dockerfile-invalid`,
   * `build.timeout`, `build.cancelled`, `build.interrupted`, `build.failed`, and those of the engine itself (`engine.unreachable`).
   */
  build(request: BuildRequest, context: Readable, options?: { signal?: AbortSignal }): AsyncGenerator<BuildEvent>
  /** False when no such build runs or waits. */
  cancel(id: string): boolean
  /** Images of apps and levels that this node has. */
  listImages(options: { signal: AbortSignal }): Promise<readonly NodeImage[]>
  /** Throws `engine.rejected` while a container is made of it. */
  removeImage(reference: string, options: { signal: AbortSignal }): Promise<void>
  /** Removes what builds left behind when the agent died; to be called once at its start. */
  removeLeftovers(signal?: AbortSignal): Promise<void>
}

/** CPU time is given in periods of this length. */
const cpuPeriodUs = 100_000

export const createImageBuilder = (options: ImageBuilderOptions): ImageBuilder => new DockerImageBuilder(options)

const memoryEventWaitMs = 20
const memoryEventWaits = 15

/** What a build under way is watched with. */
interface Attempt {
  readonly request: BuildRequest
  readonly progress: BuildProgress
  readonly startedAt: number
  readonly outOfMemory: Set<string>
  /** Aborted by the caller, by the time limit, or at the end. */
  readonly signal: AbortSignal
}

/**
 * Uses Docker's classic builder (`POST /build?version=1`): it is in every supported Docker, takes plain limits, and ends a step's
 * container when the connection closes. BuildKit over HTTP would need a session of its own protocol.
 */
class DockerImageBuilder implements ImageBuilder {
  readonly #client: DockerClient
  readonly #log: Logger
  readonly #queue = new BuildQueue()
  readonly #running = new Map<string, AbortController>()
  readonly #containers: IntermediateContainers
  readonly #images: BuildImages

  constructor({ client, log }: ImageBuilderOptions) {
    this.#client = client
    this.#log = log
    this.#containers = new IntermediateContainers(client, log)
    this.#images = new BuildImages(client)
  }

  cancel(id: string): boolean {
    const running = this.#running.get(id)
    running?.abort(cancelled(id))
    return running !== undefined
  }

  listImages({ signal }: { signal: AbortSignal }): Promise<readonly NodeImage[]> {
    return this.#images.list(signal)
  }

  async removeImage(reference: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#images.remove(reference, signal)
    this.#log.info({ image: reference }, 'removed an image that nothing needs any more')
  }

  async removeLeftovers(signal?: AbortSignal): Promise<void> {
    // Docker was only lost from sight: what runs now is no leftover.
    if (this.#running.size > 0) return
    await this.#containers.removeLeftovers(signal)
  }

  async *build(
    request: BuildRequest,
    context: Readable,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<BuildEvent> {
    if (this.#running.has(request.id)) {
      context.destroy()
      yield failed(new BerthError('build.running', `build ${request.id} is under way on this node already`))
      return
    }
    const abort = new AbortController()
    const signal = options.signal === undefined ? abort.signal : AbortSignal.any([options.signal, abort.signal])
    this.#running.set(request.id, abort)
    try {
      const { ahead } = this.#queue
      if (ahead > 0) yield output(`waiting for ${ahead} other build${ahead === 1 ? '' : 's'} on this node`)
      using _turn = await this.#queue.enter(signal)
      yield* this.#attempt(request, context, signal)
    } catch (error) {
      yield failed(signal.aborted ? cancelled(request.id) : error)
    } finally {
      // The connection to Docker goes with it.
      abort.abort(cancelled(request.id))
      context.destroy()
      this.#running.delete(request.id)
    }
  }

  async *#attempt(request: BuildRequest, context: Readable, signal: AbortSignal): AsyncGenerator<BuildEvent> {
    const end = new AbortController()
    const timer = setTimeout(() => end.abort(timeout(attempt)), request.timeoutMs)
    const attempt: Attempt = {
      request,
      progress: new BuildProgress(),
      startedAt: Date.now(),
      outOfMemory: new Set(),
      signal: AbortSignal.any([signal, end.signal]),
    }
    let image: string | undefined
    try {
      yield* this.#run(attempt, context)
      image = attempt.progress.image ?? (await this.#images.idOf(request.tag, attempt.signal))
      if (image === undefined) throw new BerthError('build.failed', `Docker made no image of ${request.id}`)
      this.#log.info({ build: request.id, image, ms: Date.now() - attempt.startedAt }, 'built an image')
    } catch (error) {
      throw end.signal.aborted && !signal.aborted ? end.signal.reason : error
    } finally {
      clearTimeout(timer)
      end.abort()
      await this.#cleanUp(attempt, image)
    }
    yield { type: 'done', image }
  }

  async *#run(attempt: Attempt, context: Readable): AsyncGenerator<BuildEvent> {
    const { progress, request, signal, outOfMemory } = attempt
    await this.#containers.watchMemory((id) => outOfMemory.add(id), signal)
    const call = { action: `build ${request.tag}`, method: 'POST', path: '/build', signal } as const
    const query = { ...queryOf(request), cgroupparent: await this.#joinCgroup(signal) }
    const answer = await this.#client.stream({ ...call, query }, context).catch((error: unknown) => {
      throw this.#refused(attempt, error)
    })
    try {
      for await (const message of jsonLines<BuildMessage>(answer)) {
        yield* progress.read(message).map(output)
        if (message.error !== undefined) throw await this.#failure(attempt, message)
      }
    } catch (error) {
      throw error instanceof BerthError || signal.aborted ? error : interrupted(attempt, error)
    }
    yield* progress.end().map(output)
    signal.throwIfAborted()
  }

  /** The cgroup for the steps' containers, which from now until the signal yields to everything else. */
  async #joinCgroup(signal: AbortSignal): Promise<string | undefined> {
    const call = {
      action: 'ask Docker for its cgroup driver',
      method: 'GET',
      path: '/info',
      timeoutMs: 15_000,
    } as const
    const cgroup = await prepareBuildCgroup(await this.#client.json<CgroupFacts>({ ...call, signal }), this.#log)
    if (cgroup === undefined) return undefined
    void yieldToOthers(cgroup, { signal, log: this.#log })
    return buildCgroup
  }

  /** Docker answered with an error before it began: a Dockerfile that it cannot read. */
  #refused({ progress, request }: Attempt, error: unknown): unknown {
    const isRefusal = error instanceof BerthError && typeof error.details.status === 'number'
    if (!isRefusal) return error
    return buildFailure({ said: error.message.replace(/^build \S+: /, ''), outOfMemory: false, progress, request })
  }

  async #failure({ progress, request, outOfMemory }: Attempt, message: BuildMessage): Promise<BerthError> {
    const exitCode = exitCodeOf(message)
    const ranOut = () => [...outOfMemory].some((id) => progress.stepContainers.has(id.slice(0, 12)))
    // Events come on a connection of their own, perhaps a moment later.
    const isKilled = exitCode === 137 || progress.tail.includes('Killed')
    for (let wait = 0; isKilled && !ranOut() && wait < memoryEventWaits; wait += 1) await sleep(memoryEventWaitMs)
    return buildFailure({ said: message.error ?? '', exitCode, outOfMemory: ranOut(), progress, request })
  }

  /** Nothing that fails here makes an image any worse; it is tried again with the next build. */
  async #cleanUp({ progress, request, startedAt }: Attempt, image: string | undefined): Promise<void> {
    try {
      if (image === undefined)
        await Promise.all([...progress.running].map((id) => this.#containers.ensureGone(id, startedAt)))
      const unnamed =
        image === undefined && progress.layer !== undefined ? [...progress.stages, progress.layer] : progress.stages
      for (const layer of new Set(unnamed)) await this.#images.keep(layer, `${request.id}-${layer}`)
      await this.#images.sweep(Date.now())
    } catch (error) {
      this.#log.warn({ build: request.id, err: error }, `clean up after build ${request.id}: ${messageOf(error)}`)
    }
  }
}

function queryOf(request: BuildRequest): Record<string, string | number | boolean | undefined> {
  const cpuMilli = Math.min(request.cpuMilli, cpus().length * 1000)
  return {
    version: 1,
    t: request.tag,
    dockerfile: request.dockerfile,
    target: request.target,
    buildargs: JSON.stringify(request.args),
    labels: JSON.stringify(request.labels),
    networkmode: request.network,
    nocache: request.noCache,
    rm: true,
    forcerm: true,
    memory: request.memoryBytes,
    // The sum of memory and swap: no swap.
    memswap: request.memoryBytes,
    cpuperiod: cpuPeriodUs,
    cpuquota: Math.max(1000, Math.round((cpuMilli * cpuPeriodUs) / 1000)),
    cpushares: buildShares,
  }
}

const output = (line: string): BuildEvent => ({ type: 'output', at: Date.now(), line })

const failed = (error: unknown): BuildEvent => ({
  type: 'failed',
  code: error instanceof BerthError ? error.code : 'build.failed',
  message: messageOf(error),
})

const cancelled = (id: string): BerthError => new BerthError('build.cancelled', `build ${id} was cancelled`)

const timeout = ({ request, progress }: Attempt): BerthError =>
  new BerthError(
    'build.timeout',
    `${stepText(progress.step)} was stopped: the build took longer than its ${request.timeoutMs / 1000} s; raise build.limits.timeout in berth.yaml if it needs more`,
  )

const interrupted = ({ progress }: Attempt, cause: unknown): BerthError =>
  new BerthError(
    'build.interrupted',
    `${stepText(progress.step)} was cut off: Docker went away (${messageOf(cause)}); build again`,
    {
      retryable: true,
      cause,
    },
  )
