import {
  type Assignment,
  afterStartDone,
  attachDone,
  attachIntended,
  attachmentsOf,
  BerthError,
  exitRecorded,
  type InstanceMemory,
  type InstanceStep,
  type InstanceStepType,
  instanceEnded,
  isGranted,
  messageOf,
  type NetworkAttachment,
  networkChanges,
  type ObservedContainer,
  runAdopted,
  type StepFailure,
  type StopReason,
  stopIntended,
} from '@berth/core'
import { hasCode, isEngineDown } from '../engine/engine-error.ts'
import { runCommand } from '../engine/run-command.ts'
import { networkMissing } from '../network/other-networks.ts'
import { assignmentDigest, sealAssignment } from '../state/instance-record.ts'
import { checkAssignment } from './check-assignment.ts'
import { containerSpec } from './container-spec.ts'
import { resolveUser } from './container-user.ts'
import type { InstanceDeps } from './instance-deps.ts'
import { readLogTail } from './log-tail.ts'

/** The one instance that steps act upon. */
export interface InstanceSubject {
  readonly assignment: Assignment
  readonly memory: InstanceMemory
  readonly container: ObservedContainer | undefined
  readonly secretsLost: boolean
  /** Takes a new memory over: it is reported, and written to disk. Resolves when it is durable. */
  remember(memory: InstanceMemory): Promise<void>
  seen(container: ObservedContainer | undefined): void
  /** Asks the engine. */
  observe(signal: AbortSignal): Promise<void>
  startHealth(): void
  stopHealth(): Promise<void>
  livenessMessage(): string | undefined
  diskMessage(): string
}

export type ActiveStep = Exclude<InstanceStep, { type: 'wait' }>
type StepOf<K extends InstanceStepType> = Extract<InstanceStep, { type: K }>
type Executors = {
  readonly [K in ActiveStep['type']]: (step: StepOf<K>, signal: AbortSignal) => Promise<void>
}

/** Carries steps out; what fails throws. Each may be repeated after a crash at any point of it. */
export class InstanceSteps {
  readonly #deps: InstanceDeps
  readonly #subject: InstanceSubject
  readonly #executors: Executors

  constructor(deps: InstanceDeps, subject: InstanceSubject) {
    this.#deps = deps
    this.#subject = subject
    this.#executors = {
      'fetch-image': (_, signal) => this.#fetchImage(signal),
      create: (_, signal) => this.#create(signal),
      start: (_, signal) => this.#start(signal),
      'adopt-run': () => this.#adoptRun(),
      'record-exit': (step, signal) => this.#recordExit(step, signal),
      'update-grant': (_, signal) => this.#updateGrant(signal),
      attach: (_, signal) => this.#attach(signal),
      'run-after-start': (_, signal) => this.#runAfterStart(signal),
      stop: (step, signal) => this.#stop(step, signal),
      remove: (_, signal) => this.#remove(signal),
      discard: (_, signal) => this.#discard(signal),
      finish: () => this.#finish(),
    }
  }

  carryOut(step: ActiveStep, signal: AbortSignal): Promise<void> {
    const execute = this.#executors[step.type] as (step: ActiveStep, signal: AbortSignal) => Promise<void>
    return execute(step, signal)
  }

  /** An image known by its id only cannot be pulled: the server has it copied here by another node. */
  async #fetchImage(signal: AbortSignal): Promise<void> {
    const { image } = this.#subject.assignment
    const { engine } = this.#deps
    if ((await engine.inspectImage(image, { signal })) !== undefined) return
    this.#deps.onImageMissing(image)
    if (isImageId(image)) {
      throw new BerthError('engine.image-missing', `image ${image} is not on this node; waiting for its copy`)
    }
    const { memory } = this.#subject
    await this.#subject.remember({ ...memory, messageCode: 'image-pulling', message: `pulling image ${image}` })
    await engine.pullImage(image, { signal })
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { assignment } = this.#subject
    const deps = this.#deps
    checkAssignment(assignment)
    deps.cores.check(assignment)
    if (this.#subject.secretsLost) throw secretsLost(assignment)
    await withReason(assignment, () => deps.files.makeSources(assignment))
    const grant = deps.cores.grantOf(assignment)
    const spec = containerSpec(assignment, {
      ...deps,
      grant,
      digest: assignmentDigest(assignment),
      sealed: sealAssignment(assignment, deps.sealer),
    })
    try {
      const id = await deps.engine.createContainer(spec, { signal })
      const incarnation = assignment.createdAt === undefined ? {} : { createdAt: assignment.createdAt }
      this.#subject.seen({ id, ...incarnation, state: 'created', ...deps.cores.shown(grant) })
    } catch (error) {
      if (!hasCode(error, 'engine.name-taken')) throw error
      // Ours from before a crash, or a stranger's: looking at it tells.
      await this.#subject.observe(signal)
      if (this.#subject.container === undefined) throw error
    }
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { assignment, container } = this.#subject
    if (container === undefined) return
    checkAssignment(assignment)
    await this.#deps.keepers.ready(assignment)
    await this.#prepareFiles(assignment, container.id, signal)
    try {
      await this.#deps.engine.startContainer(container.id, { signal })
    } catch (error) {
      if (hasCode(error, 'engine.network-missing')) await this.#leaveNetworks(container.id, signal)
      throw error
    } finally {
      await this.#subject.observe(signal)
    }
    if (this.#subject.container?.state === 'running') await this.#adoptRun(assignment.restartNonce)
  }

  /** One of them was made anew, and Docker looks for the former: before the next start it is put into what there is now. */
  async #leaveNetworks(id: string, signal: AbortSignal): Promise<void> {
    for (const { name } of attachmentsOf(this.#subject.assignment) ?? [])
      await this.#deps.engine.disconnectNetwork(id, name, { signal })
  }

  async #prepareFiles(assignment: Assignment, containerId: string, signal: AbortSignal): Promise<void> {
    const { files, engine, log } = this.#deps
    // Files that a former start has written are as good as new ones.
    if (this.#subject.secretsLost && !(await files.hasSecrets(assignment.instance))) throw secretsLost(assignment)
    // Docker looks into a container only when the sources of all its mounts are there; a reboot has taken some away.
    await withReason(assignment, () => files.makeSources(assignment))
    const user = await this.#userOf(assignment, signal)
    const owner = await resolveUser(engine, containerId, user, signal)
    if (owner === undefined)
      log.warn({ instance: assignment.instance, user }, 'the user is not in the image’s /etc/passwd')
    await withReason(assignment, () => files.fill(assignment, owner))
  }

  /** An image named by its id never changes: its user is asked for once a node. */
  async #userOf({ user, image }: Assignment, signal: AbortSignal): Promise<string> {
    const { imageUsers, engine } = this.#deps
    const known = user ?? imageUsers.get(image)
    if (known !== undefined) return known
    const found = (await engine.inspectImage(image, { signal }))?.user ?? ''
    if (isImageId(image)) imageUsers.set(image, found)
    return found
  }

  /** `restartNonce`: what the agent's own start has satisfied. */
  async #adoptRun(restartNonce = this.#subject.memory.restartNonce): Promise<void> {
    const { container, memory, assignment } = this.#subject
    if (container?.startedAt === undefined) return
    await this.#subject.stopHealth()
    // Not awaited: what is lost of it is adopted again.
    void this.#subject.remember(runAdopted({ ...memory, restartNonce }, container, this.#deps))
    this.#subject.startHealth()
    if (container.pid !== undefined) {
      const { cpuMilli: cpuLimitMilli, memoryBytes: memoryLimitBytes } = assignment
      const target = { containerId: container.id, pid: container.pid, cpuLimitMilli, memoryLimitBytes }
      this.#deps.keepers.watch(assignment.instance, target)
    }
  }

  async #recordExit(step: StepOf<'record-exit'>, signal: AbortSignal): Promise<void> {
    await this.#subject.stopHealth()
    const { container, memory, assignment } = this.#subject
    // From the end of the run before: a container may write before the engine says that it has started.
    const since = memory.lastExit?.at
    const logTail = container === undefined ? [] : await readLogTail(this.#deps.engine, container.id, since, signal)
    await this.#subject.remember(exitRecorded(memory, assignment, container, step.cause, Date.now(), logTail))
  }

  /** Memory that is in use cannot be taken away: the rest of the grant is put in force, and this is tried again. */
  async #updateGrant(signal: AbortSignal): Promise<void> {
    const { container, assignment } = this.#subject
    if (container === undefined) return
    const { cores, engine, keepers } = this.#deps
    const { instance } = assignment
    cores.check(assignment)
    const wanted = cores.grantOf(assignment)
    const refusal = cores.memoryRefusal(instance, wanted.memoryBytes)
    const possible = refusal === undefined ? wanted : { ...wanted, memoryBytes: container.memoryBytes }
    cores.prepareUpdate(instance)
    await engine.updateGrant(container.id, cores.explicit(possible), { signal })
    await this.#subject.observe(signal)
    if (container.pid !== undefined) {
      const { cpuMilli: cpuLimitMilli, memoryBytes: memoryLimitBytes } = { ...assignment, ...possible }
      keepers.watch(instance, { containerId: container.id, pid: container.pid, cpuLimitMilli, memoryLimitBytes })
    }
    if (refusal !== undefined) throw refusal
    cores.settle(instance, { withMemory: true })
    const shown = this.#subject.container
    // Without this a grant that Docker shows in another form would be given again and again.
    if (shown !== undefined && !isGranted(shown, cores.shown(wanted))) throw notKept(instance, shown)
  }

  /** In the middle of it the container may be in some of them only: then this is taken again. */
  async #attach(signal: AbortSignal): Promise<void> {
    const { container, assignment } = this.#subject
    if (container === undefined) return
    const { instance } = assignment
    const networks = attachmentsOf(assignment) ?? []
    const { attach, detach } = networkChanges(networks, container, this.#subject.memory)
    const names = networks.map(({ name }) => name)
    await this.#subject.remember(attachIntended(this.#subject.memory, names))
    try {
      for (const name of detach) await this.#deps.engine.disconnectNetwork(container.id, name, { signal })
      for (const each of attach) await this.#connect(instance, container.id, each, signal)
      await this.#subject.remember(attachDone(this.#subject.memory, names, detach))
    } finally {
      await this.#subject.observe(signal)
    }
  }

  async #connect(instance: string, id: string, network: NetworkAttachment, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.engine.connectNetwork(id, network, { signal })
    } catch (error) {
      if (!hasCode(error, 'engine.network-missing')) throw error
      throw networkMissing(instance, network.name)
    }
  }

  async #runAfterStart(signal: AbortSignal): Promise<void> {
    const { container, assignment } = this.#subject
    const hook = assignment.afterStart
    if (container === undefined || hook === undefined) return
    const failure = await this.#runHook('afterStart', hook, container.id, signal)
    const { memory } = this.#subject
    if (failure === undefined) await this.#subject.remember(afterStartDone(memory))
    else await this.#subject.remember(stopIntended(memory, 'hook-failed', assignment, failure))
  }

  async #stop({ reason }: StepOf<'stop'>, signal: AbortSignal): Promise<void> {
    const { assignment, memory, container } = this.#subject
    const failure = this.#failureBehind(reason)
    // The reason must be known after a crash, or the exit would look like the instance's own.
    await this.#subject.remember(stopIntended(memory, reason, assignment, failure))
    await this.#subject.stopHealth()
    if (container === undefined) return
    const hook = reason === 'tombstone' || reason === 'restart' ? assignment.beforeStop : undefined
    if (hook !== undefined) {
      const failed = await this.#runHook('beforeStop', hook, container.id, signal)
      if (failed !== undefined) this.#deps.log.warn({ instance: assignment.instance }, failed.message)
    }
    await this.#deps.engine.stopContainer(container.id, assignment.stopGraceMs, { signal })
    await this.#subject.observe(signal)
  }

  #failureBehind(reason: StopReason): StepFailure | undefined {
    if (reason === 'disk') return { code: 'disk-exceeded', message: this.#subject.diskMessage() }
    const message = reason === 'liveness' ? this.#subject.livenessMessage() : undefined
    return message === undefined ? undefined : { code: 'liveness-failed', message }
  }

  async #runHook(
    name: string,
    hook: NonNullable<Assignment['afterStart']>,
    containerId: string,
    signal: AbortSignal,
  ): Promise<StepFailure | undefined> {
    const { instance } = this.#subject.assignment
    const outcome = await runCommand(this.#deps.engine, containerId, hook.command, {
      timeoutMs: hook.timeoutMs,
      signal,
    })
    const what = `hook ${name} of ${instance} (${hook.command.join(' ')})`
    const said = outcome.type === 'failed' || outcome.output === '' ? '' : `: ${outcome.output}`
    switch (outcome.type) {
      case 'exited':
        if (outcome.code === 0) return undefined
        return { code: 'hook-failed', message: `${what} exited with code ${outcome.code}${said}` }
      case 'timed-out':
        return { code: 'hook-failed', message: `${what} did not end within ${hook.timeoutMs / 1000} s${said}` }
      case 'failed':
        if (isEngineDown(outcome.error)) throw outcome.error
        return { code: 'hook-failed', message: `${what} could not be run: ${messageOf(outcome.error)}` }
    }
  }

  async #remove(signal: AbortSignal): Promise<void> {
    const { container, memory, assignment } = this.#subject
    if (container === undefined) return
    const cause = memory.stopIntent?.reason ?? 'exit'
    if (memory.run !== undefined) await this.#recordExit({ type: 'record-exit', cause }, signal)
    await this.#deps.engine.removeContainer(container.id, { signal })
    await this.#deps.files.remove(assignment)
    this.#subject.seen(undefined)
  }

  /** What an earlier instance of the same id has left: nothing is known of it but its container, so no hook can be run. */
  async #discard(signal: AbortSignal): Promise<void> {
    const { container, assignment } = this.#subject
    if (container === undefined) return
    const { log, engine, keepers } = this.#deps
    log.warn({ instance: assignment.instance, container: container.id }, 'ends an earlier instance of the same name')
    keepers.forget(assignment.instance)
    if (container.state === 'running') await engine.stopContainer(container.id, assignment.stopGraceMs, { signal })
    await engine.removeContainer(container.id, { signal })
    await this.#deps.files.remove(assignment)
    this.#subject.seen(undefined)
  }

  async #finish(): Promise<void> {
    await this.#subject.stopHealth()
    this.#deps.keepers.forget(this.#subject.assignment.instance)
    await this.#subject.remember(instanceEnded(this.#subject.memory, Date.now()))
  }
}

const notKept = (instance: string, { cpuset, shares, quotaMilli, memoryBytes }: ObservedContainer): BerthError =>
  new BerthError(
    'instance.grant-not-taken',
    `give ${instance} its CPU and memory: Docker keeps ${JSON.stringify({ cpuset, shares, quotaMilli, memoryBytes })}`,
    { retryable: true },
  )

const isImageId = (image: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(image)

/** What the disk refuses, as what it means for the instance. */
async function withReason({ instance }: Assignment, action: () => Promise<void>): Promise<void> {
  try {
    await action()
  } catch (error) {
    const full = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
    const next = full ? '; free space on the disk of Berth (its state directory), or in memory for secrets (/run)' : ''
    const code = full ? 'instance.disk-full' : 'instance.files-failed'
    throw new BerthError(code, `write the files of ${instance}: ${messageOf(error)}${next}`, {
      retryable: true,
      cause: error,
    })
  }
}

const secretsLost = ({ instance }: Assignment): BerthError =>
  new BerthError(
    'instance.secrets-lost',
    `start ${instance}: its secrets cannot be read from this node's disk (the node's key has changed); they come again as soon as a server is reached`,
  )
