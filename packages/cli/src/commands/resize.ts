import { setTimeout as delay } from 'node:timers/promises'
import type { InstanceResizeView, InstanceView, ResizeView, SizesView } from '@berth/api'
import { BerthError, bandwidthChanges, type Parsed, parseBandwidth, parseBytes, parseCpu } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatBytes, formatCores } from '../output/format.ts'
import { printItem } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { findInstance, type PoolOption, parseTarget } from '../target.ts'
import { action } from './command.ts'

interface ResizeOptions extends PoolOption {
  readonly cpu?: string
  readonly memory?: string
  readonly in?: string
  readonly out?: string
  readonly instance?: string
  readonly asWritten?: boolean
  readonly dryRun?: boolean
  readonly detach?: boolean
}

interface ResizeBody extends SizesView {
  asWritten: boolean
  dryRun: boolean
}

const pollMs = 300
const patienceMs = 10 * 60_000

export function registerResize(program: Command): void {
  program
    .command('resize')
    .summary('change CPU, memory and bandwidth of what runs, without a restart where its node has room')
    .description(
      'Instances run on with another grant. One whose node has too little is replaced, within the bounds of a rollout. Limits of bandwidth take no room. What was set survives deploys until the same value in berth.yaml itself changes.\nExamples: berth resize shop/web --cpu 1.5 --memory 1Gi · berth resize shop/web --in 200Mbit --out 100Mbit · berth resize shop/web --as-written · berth resize shop/web --instance web-3 --memory 2Gi',
    )
    .argument('<target>', 'APP/ENTRYPOINT, or an instance (web-3)')
    .option('-e, --environment <name>')
    .option('--cpu <cores>', 'such as 1.5')
    .option('--memory <size>', 'such as 1Gi')
    .option('--in <bandwidth>', 'at most so much comes to an instance, such as 200Mbit')
    .option('--out <bandwidth>', 'at most so much is sent by one, such as 100Mbit')
    .option('--instance <name>', 'this one alone, until it is replaced')
    .option('--as-written', 'back to what berth.yaml says')
    .option('--dry-run', 'show what would become of each instance, and do nothing')
    .option('-d, --detach', 'do not wait')
    .action(action<ResizeOptions>(resize))
}

async function resize(context: CommandContext, [text = '']: readonly string[], options: ResizeOptions): Promise<void> {
  const { out, form } = context
  const body = {
    ...(options.cpu === undefined ? {} : { cpuMilli: amount('--cpu', parseCpu(options.cpu)) }),
    ...(options.memory === undefined ? {} : { memoryBytes: amount('--memory', parseBytes(options.memory)) }),
    ...(options.in === undefined ? {} : { inBitsPerSecond: amount('--in', parseBandwidth(options.in)) }),
    ...(options.out === undefined ? {} : { outBitsPerSecond: amount('--out', parseBandwidth(options.out)) }),
    asWritten: options.asWritten === true,
    dryRun: options.dryRun === true,
  }
  const view = await ask(context, text, options, body)
  await printItem(view, form, out, (each) => formatResize(each, out.style))
  if (view.awaits !== undefined) out.note(`waits for approval: ${view.awaits}`)
  if (body.dryRun || options.detach === true || view.awaits !== undefined) return
  await wait(context, view)
}

function ask(context: CommandContext, text: string, options: ResizeOptions, body: ResizeBody): Promise<ResizeView> {
  const { client, signal } = context
  const alone = options.instance ?? (/-\d+$/.test(text) ? text : undefined)
  if (alone !== undefined) return askForOne(context, alone, text, options, body)
  const { app, pool, entrypoint } = parseTarget(text, context, options)
  if (entrypoint === undefined)
    throw new BerthError('usage.target', `resize ${text}: of which entrypoint? write berth resize ${app}/web`)
  return client.call('resizeEntrypoint', { params: { app, pool, entrypoint }, body }, { signal })
}

async function askForOne(
  context: CommandContext,
  name: string,
  text: string,
  options: ResizeOptions,
  body: ResizeBody,
): Promise<ResizeView> {
  const { client, signal } = context
  const target = options.instance === undefined ? undefined : parseTarget(text, context, options)
  const found = target === undefined ? undefined : `${target.app}/${name}@${target.pool}`
  const { id } = await findInstance(context, found ?? name, target === undefined ? options : {})
  return client.call('resizeInstance', { params: { id }, body }, { signal })
}

function amount(option: string, read: Parsed<number>): number {
  if (read.ok && read.value > 0) return read.value
  const problem = read.ok
    ? '0 is too little'
    : `${read.message}${read.suggestion === undefined ? '' : `; ${read.suggestion}`}`
  throw new BerthError('usage.amount', `${option}: ${problem}`)
}

/** What becomes of each instance, as a diff. */
export function formatResize(view: ResizeView, style: Style): string {
  const { app, pool, entrypoint, before, after } = view
  const sizes = [
    ...(before.cpuMilli === after.cpuMilli ? [] : [`cpu ${cpu(before.cpuMilli)} → ${cpu(after.cpuMilli)}`]),
    ...(before.memoryBytes === after.memoryBytes
      ? []
      : [`memory ${memory(before.memoryBytes)} → ${memory(after.memoryBytes)}`]),
    ...bandwidthChanges(before, after),
  ]
  const head = `${app}/${entrypoint}@${pool}: ${sizes.join(', ') || 'no change'}`
  const lines = view.instances.map((each) => `  ${instanceLine(each, style)}`)
  const problems = view.problems.map((problem) => `  ${style.red('✘')} ${problem}`)
  return [
    style.bold(head),
    ...lines,
    ...(problems.length === 0 ? [] : ['', style.red('in the way'), ...problems]),
  ].join('\n')
}

function instanceLine({ name, node, how, before, after, to, reason }: InstanceResizeView, style: Style): string {
  const where = node === undefined ? '' : ` on ${node}`
  if (how === 'unchanged') return `  ${name}${where}: as it is`
  if (how === 'stays') return `  ${name}${where}: stays as it is: ${reason ?? ''}`
  if (how === 'nowhere') return style.red(`✘ ${name}${where}: ${reason ?? 'no room'}`)
  if (how === 'replace')
    return style.yellow(`~ ${name}${where}: replaced by one on ${to ?? 'another node'}: ${reason ?? ''}`)
  const cores = before.cores === after?.cores ? '' : `, cores ${before.cores ?? 'none'} → ${after?.cores ?? 'none'}`
  const changes = [
    ...(before.cpuMilli === after?.cpuMilli ? [] : [`cpu ${cpu(before.cpuMilli)} → ${cpu(after?.cpuMilli)}${cores}`]),
    ...(before.memoryBytes === after?.memoryBytes
      ? []
      : [`memory ${memory(before.memoryBytes)} → ${memory(after?.memoryBytes)}`]),
  ]
  return style.yellow(`~ ${name}${where}: in place${changes.length === 0 ? '' : `: ${changes.join(', ')}`}`)
}

const cpu = (milli: number | undefined): string => (milli === undefined ? 'nothing' : formatCores(milli))
const memory = (bytes: number | undefined): string => (bytes === undefined ? 'nothing' : formatBytes(bytes))

/** Until every instance has what it is to have, or says why not. */
async function wait(context: CommandContext, view: ResizeView): Promise<void> {
  const { client, out, signal } = context
  const { app, pool, entrypoint } = view
  const deadline = Date.now() + patienceMs
  const told = new Set<string>()
  for (;;) {
    const { items } = await client.list('listInstances', { query: { app, pool, entrypoint } }, { signal })
    const open = view.instances.filter((each) => !isSettled(context, each, items, told))
    if (open.length === 0) break
    if (Date.now() > deadline)
      throw new BerthError(
        'resize.slow',
        `resize ${app}/${entrypoint}@${pool}: ${open.map((each) => each.name).join(', ')} not done after ${patienceMs / 60_000} minutes; it goes on: berth ps ${app}/${entrypoint} -o wide`,
      )
    await delay(pollMs, undefined, { signal })
  }
  const { items } = await client.list('listInstances', { query: { app, pool, entrypoint } }, { signal })
  const refused = items.filter(isRefused)
  for (const each of refused) out.note(`${each.name}: ${each.message}`)
  if (refused.length > 0)
    throw new BerthError('resize.refused', `${refused.length} of ${view.instances.length} did not get it all`)
}

/** Its container keeps more, and it says why. */
const isRefused = ({ granted, message, ready }: InstanceView): boolean =>
  granted !== undefined && message !== undefined && ready

function isSettled(
  { out }: CommandContext,
  planned: InstanceResizeView,
  items: readonly InstanceView[],
  told: Set<string>,
): boolean {
  if (planned.how !== 'in-place' && planned.how !== 'replace') return true
  const now = items.find((each) => each.id === planned.instance)
  const isGone = now === undefined || now.desired !== 'run' || now.phase === 'ended'
  const { after } = planned
  const isChanged = after !== undefined && now?.cpuMilli === after.cpuMilli && now?.memoryBytes === after.memoryBytes
  if (!isGone && isRefused(now)) return true
  const isDone = isGone ? successorsReady(items) : isChanged && now.granted === undefined
  if (isDone && !told.has(planned.instance)) {
    told.add(planned.instance)
    out.note(`${planned.name} ${isGone ? 'is replaced' : 'has it'}`)
  }
  return isDone
}

const successorsReady = (items: readonly InstanceView[]): boolean =>
  items.filter((each) => each.desired === 'run' && each.type === 'service').every((each) => each.ready)
