import type { InstanceView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { followChanges } from '../follow-changes.ts'
import { followLogs } from '../follow-logs.ts'
import { type PoolOption, parseTarget } from '../target.ts'
import { action } from './command.ts'

/** How long the last lines of an ended job are waited for. */
const lastLinesMs = 15_000

interface RunOptions extends PoolOption {
  readonly release?: string
  readonly detach?: boolean
}

export function registerRun(program: Command): void {
  program
    .command('run')
    .summary('run a one-off job')
    .description(
      'Runs a job entrypoint, or a command in a new instance with the environment and secrets of an entrypoint, shows its output and ends with its exit code.\nExamples: berth run shop/migrate · berth run shop/web -- node scripts/fix.js',
    )
    .argument('<target>', 'APP or APP/ENTRYPOINT')
    .argument('[command...]', 'after --')
    .option('-e, --environment <name>')
    .option('--release <release>', 'of this release (default: the one that runs)')
    .option('-d, --detach', 'do not wait')
    .passThroughOptions()
    .action(
      action<RunOptions>(async (context, [text = '', ...command], options) => {
        const { client, out, signal } = context
        const { app, pool, entrypoint } = parseTarget(text, context, options)
        const body = {
          ...(entrypoint === undefined ? {} : { entrypoint }),
          ...(command.length === 0 ? {} : { command: command[0] === '--' ? command.slice(1) : command }),
          ...(options.release === undefined ? {} : { release: options.release }),
        }
        const job = await client.call('runJob', { params: { app, pool }, body }, { signal })
        if (options.detach === true) return out.line(job.id)
        throw new Exit(await followJob(context, job))
      }),
    )
}

/** Shows its output until it has ended; its exit code. */
export async function followJob(context: CommandContext, job: InstanceView): Promise<number> {
  const { client, out, signal } = context
  const logs = new AbortController()
  try {
    const { revision } = await client.list(
      'listInstances',
      { query: { app: job.app, pool: job.pool, all: 'true' } },
      { signal },
    )
    const now = await client.call('getInstance', { params: { id: job.id } }, { signal })
    const printing = printLogs(context, job.id, AbortSignal.any([signal, logs.signal]))
    const why = whyNotRunning(now)
    if (why !== undefined) out.note(why)
    const ended = now.phase === 'ended' ? now : await untilEnded(context, job, revision)
    // The stream ends by itself with the instance; a lost one must not keep a script from going on.
    await Promise.race([printing, new Promise((resolve) => setTimeout(resolve, lastLinesMs).unref())])
    if (ended.lastExit?.outOfMemory === true) out.note(`${job.name} ran out of memory`)
    if (ended.lastExit === undefined)
      throw new BerthError(
        'job.not-run',
        `${job.id} did not run: ${ended.message ?? ended.stopReason ?? 'no reason was given'}`,
      )
    return ended.lastExit.code
  } catch (error) {
    if (!signal.aborted) throw error
    out.note(`\nthe job goes on; see it again with: berth logs -f ${job.id}`)
    return exitCode.interrupted
  } finally {
    logs.abort()
  }
}

/** Nothing else would be seen of a job that waits for a node, or that cannot be started. One that has run says so by its output. */
export const whyNotRunning = ({ name, node, phase, message, lastExit }: InstanceView): string | undefined =>
  phase === 'running' || phase === 'ended' || message === undefined || lastExit !== undefined
    ? undefined
    : `${name} ${node === undefined ? 'waits' : 'does not run yet'}: ${message}`

async function untilEnded(context: CommandContext, job: InstanceView, revision: number): Promise<InstanceView> {
  const { out } = context
  const query = { app: job.app, pool: job.pool, all: 'true' }
  let said = whyNotRunning(job)
  const changes = followChanges(context, `job ${job.name}`, 'listInstances', { query, revision })
  for await (const event of changes) {
    if (event.type === 'put' && event.item.id === job.id) {
      if (event.item.phase === 'ended') return event.item
      const why = whyNotRunning(event.item)
      if (why !== said && why !== undefined) out.note(why)
      said = why
    }
    if (event.type === 'delete' && event.id === job.id) break
  }
  throw new BerthError('job.gone', `${job.id} was removed before it ended; berth events ${job.app} says by whom`)
}

async function printLogs(context: CommandContext, instance: string, signal: AbortSignal): Promise<void> {
  const { out } = context
  try {
    for await (const line of followLogs(context, { instance, tail: '10000' }, signal)) {
      if (line.stream === 'stderr') out.note(line.line)
      else if (line.stream === 'stdout') out.line(line.line)
    }
  } catch (error) {
    if (!signal.aborted) out.note(`logs of ${instance}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
