import { readFileSync, writeFileSync } from 'node:fs'
import type { CapacityView, ImaginedNodes, PlanView, SavedPlan } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { followRollout } from '../follow.ts'
import { formatPlan } from '../output/plan.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { type Source, sourceOf } from '../source.ts'
import { type PoolOption, parseTarget, type Target } from '../target.ts'
import { action } from './command.ts'
import { sourceOptions } from './source-options.ts'

interface HypothesisOptions extends PoolOption {
  readonly without?: readonly string[]
  readonly with?: readonly string[]
}

export interface PlanOptions extends HypothesisOptions {
  readonly ref?: string
  readonly repository?: string
  readonly svn?: boolean
  readonly release?: string
  readonly replicas?: readonly string[]
  readonly save?: string
}

export function registerPlanning(program: Command): void {
  savedByName(hypothesisOptions(sourceOptions(program.command('plan'))))
    .summary('what a deploy would change, and where instances would run')
    .description(
      'Shows what a deploy would change. Exit code 0: nothing, 1: something, 255: it could not be found out.\nA saved plan of a release that is built is done exactly by `berth apply`, or refused when the world has moved.',
    )
    .option('--release <release>', 'of this release')
    .option('--replicas <count...>', 'with so many instances: web=200')
    .option('--save <file>', 'for `berth apply`')
    .action(action<PlanOptions>(plan))

  program
    .command('apply')
    .summary('do exactly what was planned')
    .argument('<file>', 'of `berth plan --save`, or of `berth plan -o json`')
    .option('-d, --detach', 'do not wait')
    .action(action<{ detach?: boolean }>((context, [file = ''], options) => apply(context, file, options)))

  hypothesisOptions(program.command('capacity'))
    .summary('how many more instances fit, and what runs out first')
    .argument('[app]', 'APP or APP@ENVIRONMENT; left out: the app of the berth.yaml here')
    .option('-e, --environment <name>')
    .action(
      action<HypothesisOptions>(async (context, [text], options) => {
        const target = parseTarget(text, context, options)
        const { entrypoints } = await context.client.call(
          'getCapacity',
          { params: { app: target.app, pool: target.pool }, body: hypothesisOf(options) },
          { signal: context.signal },
        )
        const shown = entrypoints.filter(
          (each) => target.entrypoint === undefined || each.entrypoint === target.entrypoint,
        )
        await printListing(shown, capacityListing, context.form, context.out)
      }),
    )
}

const hypothesisOptions = (command: Command): Command =>
  command
    .option('--without <node...>', 'as if these nodes were gone')
    .option('--with <nodes...>', 'as if there were these besides: 5xc16m64 is five of 16 cores and 64 GiB')

/** `-o plan.json` is a file to save to, as people know it from elsewhere: no output form ends like that. */
function savedByName(command: Command): Command {
  return command
    .option('-o, --output <form>', 'table, json, yaml, template=… or, to save it, FILE.json')
    .on('option:output', (text: string) => {
      if (!text.endsWith('.json')) return
      command.setOptionValue('save', text).setOptionValue('output', 'table')
    })
}

async function plan(
  context: CommandContext,
  [text]: readonly (string | undefined)[],
  options: PlanOptions,
): Promise<void> {
  try {
    const target = parseTarget(text, context, options)
    const made = await planOf(context, target, options)
    if (options.save !== undefined) save(made, options.save)
    await printPlan(context, made)
    throw new Exit(made.changes ? exitCode.changes : exitCode.done)
  } catch (error) {
    if (error instanceof Exit) throw error
    context.out.note(`${context.out.style.red('error')}: ${messageOf(error)}`)
    throw new Exit(exitCode.planFailed)
  }
}

export async function planOf(context: CommandContext, target: Target, options: PlanOptions): Promise<PlanView> {
  const named = options.release !== undefined
  const source: Source = named ? {} : await sourceFor(context, target, options)
  const body = {
    ...Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined)),
    pool: target.pool,
    ...(options.release === undefined ? {} : { release: options.release }),
    ...(options.replicas === undefined ? {} : { replicas: replicasOf(options.replicas, target) }),
    ...hypothesisOf(options),
  }
  return context.client.call('planDeploy', { params: { app: target.app }, body }, { signal: context.signal })
}

/** A question about numbers or nodes is about what runs, unless a source is named. */
async function sourceFor(context: CommandContext, target: Target, options: PlanOptions): Promise<Source> {
  const { ref, repository, svn, replicas, without, with: added } = options
  const asks = replicas !== undefined || without !== undefined || added !== undefined
  return asks && ref === undefined && repository === undefined && svn === undefined
    ? {}
    : await sourceOf(context, target.app, options)
}

export const printPlan = (context: CommandContext, made: PlanView): Promise<void> =>
  printItem(made, context.form, context.out, (each) => formatPlan(each, context.out.style))

function save(made: PlanView, file: string): void {
  if (made.saved === undefined)
    throw new BerthError(
      'plan.not-saved',
      `save the plan of ${made.app}/${made.pool}: ${made.unsaved ?? 'nothing to do'}`,
    )
  try {
    writeFileSync(file, `${JSON.stringify(made.saved, null, 2)}\n`)
  } catch (error) {
    throw new BerthError('usage.cannot-write', `save the plan to ${file}: ${messageOf(error)}`)
  }
}

async function apply(context: CommandContext, file: string, { detach }: { readonly detach?: boolean }): Promise<void> {
  const saved = await readPlan(file)
  const { rollout } = await context.client.call(
    'applyPlan',
    { params: { app: saved.app }, body: { plan: saved } },
    { signal: context.signal },
  )
  if (rollout === undefined)
    return context.out.note(`${saved.app}/${saved.pool}: scaled as planned; \`berth ps ${saved.app}\` shows it`)
  if (detach === true) return context.out.line(rollout.id)
  await followRollout(context, rollout.id)
}

async function readPlan(file: string): Promise<SavedPlan> {
  let document: unknown
  try {
    document = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is none' : messageOf(error)
    throw new BerthError('plan.unreadable', `read the plan ${file}: ${why}; \`berth plan --save FILE\` makes one`)
  }
  // Schemas take a while to load, and most commands need none.
  const { savedPlan } = await import('@berth/api/planning-resources')
  const whole = document as Partial<PlanView> | null
  const read = savedPlan.safeParse(whole?.saved ?? document)
  if (read.success) return read.data
  const why =
    whole?.unsaved === undefined ? 'it is no saved plan; make one with `berth plan --save FILE`' : whole.unsaved
  throw new BerthError('plan.unreadable', `read the plan ${file}: ${why}`)
}

/** `web=200`; a mere `200` is of the entrypoint that the target names. */
function replicasOf(texts: readonly string[], target: Target): Record<string, number> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name = target.entrypoint, count = ''] = /^(?:([a-z0-9-]+)=)?(\d{1,6})$/.exec(text) ?? []
      if (name === undefined || count === '')
        throw new BerthError(
          'usage.replicas',
          `--replicas ${text}: write ENTRYPOINT=COUNT, such as web=200, or name APP/ENTRYPOINT`,
        )
      return [name, Number(count)]
    }),
  )
}

function hypothesisOf({ without, with: added }: HypothesisOptions): { without?: string[]; with?: ImaginedNodes[] } {
  return {
    ...(without === undefined ? {} : { without: [...without] }),
    ...(added === undefined ? {} : { with: added.map(imaginedOf) }),
  }
}

function imaginedOf(text: string): ImaginedNodes {
  const [, count = '1', cores = '', gibibytes = '', group] =
    /^(?:(\d{1,5})[x×*])?c(\d{1,4})m(\d{1,5})(?:@([a-z0-9-]+))?$/.exec(text) ?? []
  if (cores === '')
    throw new BerthError(
      'usage.nodes',
      `--with ${text}: write COUNTxcCORESmGIBIBYTES, such as 5xc16m64, with @GROUP behind it where it is not default`,
    )
  const size = { cpuMilli: Number(cores) * 1000, memoryBytes: Number(gibibytes) * 1024 ** 3 }
  return { count: Number(count), ...size, ...(group === undefined ? {} : { group }) }
}

const capacityListing: ListingView<CapacityView> = {
  headers: ['entrypoint', 'running', 'fit more', 'on nodes', 'runs out first', 'refused'],
  row: (each) => [
    each.entrypoint,
    String(each.running),
    each.more === undefined ? 'any number' : String(each.more),
    String(each.nodes),
    each.missing.map(({ what, nodes }) => `${what} (${nodes})`).join(', ') || '-',
    each.refused ?? '-',
  ],
  name: (each) => each.entrypoint,
  empty: 'it has no services',
}
