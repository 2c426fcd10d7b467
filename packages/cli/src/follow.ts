import type { BuildView, InstanceView, RolloutView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'
import { Exit, exitCode } from './exit-code.ts'
import { formatAge } from './output/format.ts'

/** Shows a build's output until it ends. Throws `build.failed` with what the server says. */
export async function followBuild(context: CommandContext, id: string): Promise<BuildView> {
  const { client, out, signal } = context
  const comeBack = `the build goes on; see it again with: berth builds ${id} --follow`
  return detachable(context, comeBack, async (following) => {
    for await (const line of client.lines(
      'getBuildOutput',
      { params: { id }, query: { follow: 'true' } },
      { signal: following },
    )) {
      out.note(out.style.dim(`  ${line.line}`))
    }
    const build = await untilBuildEnds(context, id, following)
    if (build.state === 'succeeded') return build
    throw new BerthError(
      build.error?.code ?? 'build.failed',
      `build ${id} of ${build.app} ${build.state}: ${build.error?.message ?? 'no reason was given'}`,
      { details: { signal: signal.aborted } },
    )
  })
}

async function untilBuildEnds({ client }: CommandContext, id: string, signal: AbortSignal): Promise<BuildView> {
  const { revision } = await client.list('listBuilds', { query: { limit: 1 } }, { signal })
  const now = await client.call('getBuild', { params: { id } }, { signal })
  if (now.endedAt !== undefined) return now
  for await (const event of client.watch('listBuilds', { revision }, { signal })) {
    if (event.type === 'put' && event.item.id === id && event.item.endedAt !== undefined) return event.item
  }
  throw new BerthError(
    'server.gone',
    `the server closed the connection while build ${id} was under way; berth builds ${id} shows it`,
    { retryable: true },
  )
}

/** One line for each thing that happens to the rollout's instances, then how it ended. */
export async function followRollout(context: CommandContext, id: string): Promise<RolloutView> {
  const comeBack = `the rollout goes on; see it again with: berth rollout watch ${id}`
  const rollout = await detachable(context, comeBack, (signal) => watchRollout(context, id, signal))
  reportEnd(context, rollout)
  if (rollout.state !== 'succeeded') throw new Exit(exitCode.notRolledOut)
  return rollout
}

async function watchRollout(context: CommandContext, id: string, signal: AbortSignal): Promise<RolloutView> {
  const { client } = context
  const abort = new AbortController()
  const both = AbortSignal.any([signal, abort.signal])
  const { items, revision } = await client.list('listRollouts', {}, { signal })
  const first = items.find((each) => each.id === id)
  if (first === undefined) throw new BerthError('rollout.not-found', `no rollout ${id}; \`berth rollouts\` lists them`)
  if (first.endedAt !== undefined) return first
  const lines = new InstanceLines(context, first)
  const instances = followInstances(context, first, lines, both).catch((error) => {
    if (!both.aborted) throw error
  })
  try {
    for await (const event of client.watch('listRollouts', { revision }, { signal: both })) {
      if (event.type !== 'put' || event.item.id !== id) continue
      lines.say(event.item)
      if (event.item.endedAt !== undefined) return event.item
    }
    throw new BerthError(
      'server.gone',
      `the server closed the connection; the rollout goes on: berth rollout watch ${id}`,
      { retryable: true },
    )
  } finally {
    abort.abort()
    await instances
  }
}

async function followInstances(
  context: CommandContext,
  rollout: RolloutView,
  lines: InstanceLines,
  signal: AbortSignal,
): Promise<void> {
  const query = { app: rollout.app, pool: rollout.pool }
  const { items, revision } = await context.client.list('listInstances', { query }, { signal })
  for (const item of items) lines.enter(item)
  for await (const event of context.client.watch('listInstances', { query, revision }, { signal })) {
    if (event.type === 'put') lines.show(event.item)
    else if (event.type === 'delete') lines.gone(event.id)
  }
}

/** Prints what has changed with an instance since it was printed last. */
class InstanceLines {
  readonly #context: CommandContext
  readonly #rollout: RolloutView
  readonly #shown = new Map<string, string>()
  readonly #restarts = new Map<string, number>()
  #state: string

  constructor(context: CommandContext, rollout: RolloutView) {
    this.#context = context
    this.#rollout = rollout
    this.#state = rollout.state
  }

  enter(instance: InstanceView): void {
    if (instance.rollout === this.#rollout.id) this.show(instance)
    else this.#shown.set(instance.id, stateOf(instance))
  }

  show(instance: InstanceView): void {
    const { style } = this.#context.out
    const state = stateOf(instance)
    const restarted = instance.restarts > (this.#restarts.get(instance.id) ?? 0)
    this.#restarts.set(instance.id, instance.restarts)
    if (restarted && !instance.ready)
      this.#line(style.yellow('!'), instance, `exited${exitText(instance)}, restart ${instance.restarts}`)
    if (this.#shown.get(instance.id) === state) return
    this.#shown.set(instance.id, state)
    if (state === 'ready')
      this.#line(style.green('✔'), instance, `ready  ${formatSeconds((instance.readyAt ?? 0) - instance.createdAt)}`)
    else if (state === 'draining')
      this.#line(
        style.dim('-'),
        instance,
        `drains${instance.stopReason === undefined ? '' : `: ${instance.stopReason}`}`,
      )
    else if (state === 'waiting') this.#line(style.yellow('!'), instance, instance.message ?? 'waits for a node')
    else if (state === 'starting' && instance.message !== undefined)
      this.#line(style.dim('·'), instance, instance.message)
    else if (state === 'ended' && instance.type === 'job')
      this.#line(
        instance.lastExit?.code === 0 ? style.green('✔') : style.red('✘'),
        instance,
        `ended${exitText(instance)}`,
      )
  }

  gone(id: string): void {
    this.#shown.delete(id)
  }

  say(rollout: RolloutView): void {
    if (rollout.state === this.#state) return
    this.#state = rollout.state
    if (rollout.endedAt === undefined)
      this.#context.out.note(`${this.#context.out.style.yellow('!')} ${rollout.message}`)
  }

  #line(mark: string, instance: InstanceView, text: string): void {
    const where = instance.node === undefined ? '' : ` on ${instance.node}`
    this.#context.out.note(`${mark} ${`${instance.name}${where}`.padEnd(24)} ${text}`)
  }
}

function stateOf(instance: InstanceView): string {
  if (instance.phase === 'ended') return 'ended'
  if (instance.desired !== 'run') return 'draining'
  if (instance.ready) return 'ready'
  return instance.node === undefined ? 'waiting' : 'starting'
}

const exitText = (instance: InstanceView): string => {
  const exit = instance.lastExit
  if (exit === undefined) return ''
  return exit.outOfMemory ? ' out of memory' : ` with exit code ${exit.code}`
}

export const formatSeconds = (ms: number): string =>
  ms < 60_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)}s` : formatAge(ms)

function reportEnd({ out }: CommandContext, rollout: RolloutView): void {
  const took = formatSeconds((rollout.endedAt ?? rollout.updatedAt) - rollout.createdAt)
  const good = rollout.state === 'succeeded'
  out.note(
    `${good ? out.style.green('✔') : out.style.red('✘')} ${rollout.app}/${rollout.pool} ${rollout.state} in ${took}: ${rollout.message}`,
  )
  if (rollout.failure === undefined) return
  if (rollout.failure.logTail.length > 0) {
    out.note(`  the last lines of ${rollout.failure.instance}:`)
    for (const line of rollout.failure.logTail) out.note(`    ${line}`)
  }
  out.note(`  look further: berth events ${rollout.app}`)
}

/** Ctrl-C stops the watching, never the work. */
async function detachable<T>(
  context: CommandContext,
  comeBack: string,
  follow: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await follow(context.signal)
  } catch (error) {
    if (!context.signal.aborted) throw error
    context.out.note(`\n${comeBack}`)
    throw new Exit(exitCode.interrupted)
  }
}
