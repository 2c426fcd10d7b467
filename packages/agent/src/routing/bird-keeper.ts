import { BerthError, changesChannels } from '@berth/core'
import type { Logger } from 'pino'
import { describeRoute } from '../network/network-plan.ts'
import type { Exec } from '../network/run-command.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { askBird, type BirdReply, isRefusal } from './bird-control.ts'
import { BirdFiles } from './bird-files.ts'
import { BirdProcess } from './bird-process.ts'
import { foreignBirdRoutes, tableRoutes } from './kernel-routes.ts'

export interface BirdKeeperOptions {
  /** For what BIRD needs while it runs; in memory. */
  readonly runDirectory: string
  readonly logDirectory: string
  readonly exec: Exec
  readonly log: Logger
  /** See {@link BirdProcess}. */
  readonly namespace?: string | undefined
}

interface Options {
  readonly signal: AbortSignal
}

/** Has BIRD run, by the configuration that it is given, or by the last one that BIRD took where that one is refused. */
export class BirdKeeper {
  readonly files: BirdFiles
  readonly #process: BirdProcess
  readonly #exec: Exec
  readonly #log: Logger
  /** In force for certain; an agent that has just started does not know. */
  #taken: string | undefined
  #refused: { readonly text: string; readonly why: string } | undefined

  constructor({ runDirectory, logDirectory, exec, log, namespace }: BirdKeeperOptions) {
    this.files = new BirdFiles(runDirectory, logDirectory)
    this.#process = new BirdProcess(exec, this.files, namespace)
    this.#exec = exec
    this.#log = log
  }

  async isRunning(): Promise<boolean> {
    return (await this.#process.pid()) !== undefined
  }

  /**
   * Resolves when BIRD runs by this text. Throws `routing.config-refused` (the one before stays in force), `routing.bird-missing`,
   * `routing.other-bird`, `routing.start-failed`, `routing.bird-silent`.
   */
  async keep(text: string, { signal }: Options): Promise<void> {
    if (!(await this.isRunning())) await this.#start(text, signal)
    else if (text !== this.#taken && text !== this.#refused?.text) await this.#change(text, signal)
    else if (text === this.#taken) this.#refused = undefined
    if (this.#refused !== undefined) throw refusedError(this.#refused.why)
  }

  ask(command: string, { signal }: Options): Promise<BirdReply> {
    return askBird(this.files.control, command, { signal })
  }

  /** Throws `routing.stop-failed`. */
  async stop(options: Options & { readonly goodbye?: boolean }): Promise<void> {
    await this.#process.stop(options)
    this.#taken = undefined
    await this.files.remove()
  }

  /** Throws `routing.other-bird`. */
  async requireNoOther({ signal }: Options): Promise<void> {
    const other = await this.#process.other()
    if (other !== undefined) throw otherBird(`process ${other.pid} (${other.command}) runs`)
    const [route] = await foreignBirdRoutes(this.#exec, { signal })
    if (route !== undefined)
      throw otherBird(
        `it has left the route ${describeRoute(route)} (remove them: ip route flush table main proto bird)`,
      )
  }

  async #start(text: string, signal: AbortSignal): Promise<void> {
    await this.requireNoOther({ signal })
    await this.files.prepare()
    await this.files.offer(text)
    const why = await this.#process.refusal(this.files.next, { signal })
    this.#refused = why === undefined ? undefined : { text, why }
    if (why === undefined) await this.files.take()
    else if ((await this.files.current()) === undefined) return
    await this.#process.start({ signal, recover: (await tableRoutes(this.#exec, { signal })).length > 0 })
    this.#taken = why === undefined ? text : undefined
    this.#log.info('BIRD was started')
  }

  async #change(text: string, signal: AbortSignal): Promise<void> {
    const before = await this.files.current()
    if (before !== undefined && changesChannels(before, text)) return await this.#changeChannels(text, signal)
    await this.files.offer(text)
    const checked = await this.ask(`configure check "${this.files.next}"`, { signal })
    if (isRefusal(checked)) return this.#refuse(text, checked)
    await this.files.take()
    const answer = await this.ask('configure', { signal })
    if (!isRefusal(answer)) {
      this.#taken = text
      this.#refused = undefined
      this.#log.info('BIRD has taken a configuration')
      return
    }
    if (before !== undefined) await writeFileAtomic(this.files.configuration, before)
    this.#refuse(text, answer)
  }

  /**
   * What sessions carry is said as they begin. A BIRD that is told to would end them with a goodbye, and peers take its routes away; one that is
   * restarted keeps its own and theirs.
   */
  async #changeChannels(text: string, signal: AbortSignal): Promise<void> {
    await this.files.offer(text)
    const why = await this.#process.refusal(this.files.next, { signal })
    if (why !== undefined) return this.#refuse(text, { code: 0, lines: [why] })
    await this.#process.stop({ signal })
    await this.files.take()
    await this.#process.start({ signal, recover: true })
    this.#taken = text
    this.#refused = undefined
    this.#log.info('BIRD was restarted: its sessions carry other addresses, or are held for another time')
  }

  #refuse(text: string, { lines }: BirdReply): void {
    const why = lines.slice(-2).join('; ')
    this.#refused = { text, why }
    this.#log.error({ why }, 'BIRD refused a configuration; the one before stays in force')
  }
}

const refusedError = (why: string): BerthError =>
  new BerthError('routing.config-refused', `change the configuration of BIRD: ${why}; the one before stays in force`)

const otherBird = (what: string): BerthError =>
  new BerthError(
    'routing.other-bird',
    `speak BGP: there is another BIRD on this node, and two would remove each other's routes: ${what}; stop it: systemctl disable --now bird`,
  )
