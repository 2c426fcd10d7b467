import type { BuildView, RolloutView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'
import { Exit, exitCode } from './exit-code.ts'
import { formatSeconds, InstanceLines } from './instance-lines.ts'
import { overRestarts } from './reconnect.ts'

/** Shows a build's output until it ends. Throws `build.failed` with what the server says. */
export async function followBuild(context: CommandContext, id: string): Promise<BuildView> {
  const comeBack = `the build goes on; see it again with: berth builds ${id} --follow`
  const output = new BuildOutput(context.out)
  const build = await detachable(context, comeBack, (signal) =>
    overRestarts(context, `build ${id}`, async () => {
      output.fromTheStart()
      const query = { follow: 'true' }
      for await (const { line } of context.client.lines('getBuildOutput', { params: { id }, query }, { signal }))
        output.show(line)
      return untilBuildEnds(context, id, signal)
    }),
  )
  output.end(build)
  if (build.state === 'succeeded') return build
  const reason = build.error?.message ?? 'no reason was given'
  throw new BerthError(build.error?.code ?? 'build.failed', `build ${id} of ${build.app} ${build.state}: ${reason}`)
}

const failedMark = 'failed: '

/** Each line once, also when the output is sent anew; a last word that says what the error says anyway is left out. */
class BuildOutput {
  readonly #out: CommandContext['out']
  #known = 0
  #at = 0
  #heldBack: string[] = []

  constructor(out: CommandContext['out']) {
    this.#out = out
  }

  fromTheStart(): void {
    this.#at = 0
  }

  show(line: string): void {
    this.#at += 1
    if (this.#at <= this.#known) return
    this.#known = this.#at
    if (line.startsWith(failedMark)) this.#release()
    if (this.#heldBack.length > 0 || line.startsWith(failedMark)) this.#heldBack.push(line)
    else this.#print(line)
  }

  end({ error }: BuildView): void {
    if (this.#heldBack.join('\n') === `${failedMark}${error?.message}`) this.#heldBack = []
    this.#release()
  }

  #release(): void {
    for (const line of this.#heldBack) this.#print(line)
    this.#heldBack = []
  }

  #print(line: string): void {
    this.#out.note(this.#out.style.dim(`  ${line}`))
  }
}

async function untilBuildEnds({ client }: CommandContext, id: string, signal: AbortSignal): Promise<BuildView> {
  const { revision } = await client.list('listBuilds', { query: { limit: 1 } }, { signal })
  const now = await client.call('getBuild', { params: { id } }, { signal })
  if (now.endedAt !== undefined) return now
  for await (const event of client.watch('listBuilds', { revision }, { signal })) {
    if (event.type === 'put' && event.item.id === id && event.item.endedAt !== undefined) return event.item
  }
  const message = `the server closed the connection while build ${id} was under way; berth builds ${id} shows it`
  throw new BerthError('server.gone', message, { retryable: true })
}

/** One line for each thing that happens to the rollout's instances, then how it ended. */
export async function followRollout(context: CommandContext, id: string): Promise<RolloutView> {
  const comeBack = `the rollout goes on; see it again with: berth rollout watch ${id}`
  let lines: InstanceLines | undefined
  const rollout = await detachable(context, comeBack, (signal) =>
    overRestarts(context, `rollout ${id}`, async () => {
      const now = await context.client.call('getRollout', { params: { id } }, { signal })
      if (now.endedAt !== undefined) return now
      lines ??= new InstanceLines(context.out, now)
      return watchRollout(context, now, lines, signal)
    }),
  )
  reportEnd(context, rollout)
  if (rollout.state !== 'succeeded') throw new Exit(exitCode.notRolledOut)
  return rollout
}

async function watchRollout(
  context: CommandContext,
  rollout: RolloutView,
  lines: InstanceLines,
  signal: AbortSignal,
): Promise<RolloutView> {
  const abort = new AbortController()
  const both = AbortSignal.any([signal, abort.signal])
  const ending = untilRolloutEnds(context, rollout, lines, both)
  const instances = followInstances(context, rollout, lines, both)
  try {
    // The instances' stream never ends before the rollout's but by a failure, and then the rollout's says more.
    return await Promise.race([ending, instances.then(() => ending)])
  } finally {
    abort.abort()
    await Promise.allSettled([ending, instances])
  }
}

async function untilRolloutEnds(
  { client }: CommandContext,
  { id }: RolloutView,
  lines: InstanceLines,
  signal: AbortSignal,
): Promise<RolloutView> {
  const { items, revision } = await client.list('listRollouts', {}, { signal })
  const now = items.find((each) => each.id === id)
  if (now?.endedAt !== undefined) return now
  if (now !== undefined) lines.say(now)
  for await (const event of client.watch('listRollouts', { revision }, { signal })) {
    if (event.type !== 'put' || event.item.id !== id) continue
    lines.say(event.item)
    if (event.item.endedAt !== undefined) return event.item
  }
  const message = `the server closed the connection; the rollout goes on: berth rollout watch ${id}`
  throw new BerthError('server.gone', message, { retryable: true })
}

async function followInstances(
  { client }: CommandContext,
  rollout: RolloutView,
  lines: InstanceLines,
  signal: AbortSignal,
): Promise<void> {
  const query = { app: rollout.app, pool: rollout.pool, all: 'true' }
  const { items, revision } = await client.list('listInstances', { query }, { signal })
  for (const item of items) lines.enter(item)
  for await (const event of client.watch('listInstances', { query, revision }, { signal })) {
    if (event.type === 'put') lines.show(event.item)
    else if (event.type === 'delete') lines.gone(event.id)
  }
}

function reportEnd({ out }: CommandContext, rollout: RolloutView): void {
  const took = formatSeconds((rollout.endedAt ?? rollout.updatedAt) - rollout.createdAt)
  const good = rollout.state === 'succeeded'
  out.note(
    `${good ? out.style.green('✔') : out.style.red('✘')} ${rollout.app}/${rollout.pool} ${rollout.state} in ${took}: ${rollout.message}`,
  )
  if (rollout.failure === undefined) return
  if (rollout.failure.logTail.length > 0) {
    out.note(`  the last lines of ${rollout.failure.instance ?? rollout.failure.node}:`)
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
