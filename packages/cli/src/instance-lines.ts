import type { InstanceView, RolloutView } from '@berth/api'
import type { CommandContext } from './command-context.ts'
import { formatAge } from './output/format.ts'

/** Prints what has changed with a rollout's instances since it was printed last, one line each. */
export class InstanceLines {
  readonly #out: CommandContext['out']
  readonly #rollout: RolloutView
  readonly #shown = new Map<string, string>()
  readonly #restarts = new Map<string, number>()
  #state: string
  #imagesTold: string | undefined
  #stageTold: string | undefined

  constructor(out: CommandContext['out'], rollout: RolloutView) {
    this.#out = out
    this.#rollout = rollout
    this.#state = rollout.state
  }

  /** What is there as the watching begins: only the rollout's own instances are news. */
  enter(instance: InstanceView): void {
    if (instance.rollout === this.#rollout.id || this.#shown.has(instance.id)) this.show(instance)
    else this.#shown.set(instance.id, newsOf(instance))
  }

  show(instance: InstanceView): void {
    const restarted = instance.restarts > (this.#restarts.get(instance.id) ?? 0)
    this.#restarts.set(instance.id, instance.restarts)
    if (restarted && !instance.ready)
      this.#line(this.#out.style.yellow('!'), instance, `exited${exitText(instance)}, restart ${instance.restarts}`)
    const news = newsOf(instance)
    if (this.#shown.get(instance.id) === news) return
    this.#shown.set(instance.id, news)
    this.#tell(instance, restarted)
  }

  gone(id: string): void {
    this.#shown.delete(id)
  }

  say(rollout: RolloutView): void {
    this.#tellImages(rollout)
    this.#tellStage(rollout)
    if (rollout.state === this.#state) return
    this.#state = rollout.state
    if (rollout.endedAt === undefined) this.#out.note(`${this.#out.style.yellow('!')} ${rollout.message}`)
  }

  /** What a stage waits for once its instances serve, and which one begins. */
  #tellStage({ stages, message, state }: RolloutView): void {
    const stage = stages?.find(({ endedAt }) => endedAt === undefined)
    if (stage === undefined || state !== 'running' || this.#stageTold === message) return
    if (stage.readyAt === undefined && !message.endsWith(' begins')) return
    this.#stageTold = message
    this.#out.note(`${this.#out.style.dim('·')} ${message}`)
  }

  /** Nothing is replaced yet: which nodes it waits for. */
  #tellImages({ images, message, endedAt }: RolloutView): void {
    if (images === undefined || endedAt !== undefined || this.#imagesTold === message) return
    if (images.doneAt !== undefined && this.#imagesTold === undefined) return
    const { style } = this.#out
    if (images.doneAt === undefined) this.#out.note(`${style.dim('·')} ${message}`)
    else this.#out.note(`${style.green('✔')} the image is on all ${images.wanted} nodes that need it`)
    this.#imagesTold = images.doneAt === undefined ? message : undefined
  }

  #tell(instance: InstanceView, restarted: boolean): void {
    const { style } = this.#out
    const state = stateOf(instance)
    if (state === 'ready' && instance.type === 'service')
      this.#line(style.green('✔'), instance, `ready  ${secondsUntil(instance, instance.readyAt)}`)
    else if (state === 'draining') this.#line(style.dim('-'), instance, `drains${reasonOf(instance.stopReason)}`)
    else if (state === 'waiting')
      this.#line(style.yellow('!'), instance, `waits${reasonOf(instance.message ?? 'no node has been chosen yet')}`)
    // That one that runs is not ready in its first moments is no news; how it ends is.
    else if (state === 'starting' && instance.phase !== 'running' && instance.message !== undefined && !restarted)
      this.#line(style.dim('·'), instance, instance.message)
    else if (state === 'ended' && instance.type === 'job') this.#tellEnd(instance)
  }

  #tellEnd(instance: InstanceView): void {
    const good = instance.lastExit?.code === 0
    const mark = good ? this.#out.style.green('✔') : this.#out.style.red('✘')
    const end = good ? 'done ' : `ended${exitText(instance)}`
    this.#line(mark, instance, `${end}  ${secondsUntil(instance, instance.lastExit?.at)}`)
  }

  #line(mark: string, instance: InstanceView, text: string): void {
    const where = instance.node === undefined ? '' : ` on ${instance.node}`
    this.#out.note(`${mark} ${`${instance.name}${where}`.padEnd(24)} ${text}`)
  }
}

export function stateOf(instance: InstanceView): 'waiting' | 'starting' | 'ready' | 'draining' | 'ended' {
  if (instance.phase === 'ended') return 'ended'
  if (instance.desired !== 'run') return 'draining'
  if (instance.ready) return 'ready'
  return instance.node === undefined ? 'waiting' : 'starting'
}

/** While an instance is on its way, another reason why it is not there yet is news as well. */
function newsOf(instance: InstanceView): string {
  const state = stateOf(instance)
  return state === 'waiting' || state === 'starting' ? `${state} ${instance.message ?? ''}` : state
}

const reasonOf = (reason: string | undefined): string => (reason === undefined ? '' : `: ${reason}`)

const secondsUntil = (instance: InstanceView, at: number | undefined): string =>
  formatSeconds((at ?? instance.createdAt) - instance.createdAt)

const exitText = (instance: InstanceView): string => {
  const exit = instance.lastExit
  if (exit === undefined) return ''
  return exit.outOfMemory ? ' out of memory' : ` with exit code ${exit.code}`
}

export const formatSeconds = (ms: number): string =>
  ms < 60_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)}s` : formatAge(ms)
