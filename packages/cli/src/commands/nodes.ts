import { setTimeout as delay } from 'node:timers/promises'
import type { NodeView } from '@berth/api'
import { BerthError, formatTaint, parseCpu, parseQuantity, parseTaint } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatBytes, formatCores } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'
import { DrainLines, drainText } from './drain-lines.ts'
import { registerNodeExec } from './exec.ts'
import { parseDuration } from './logs.ts'
import { showCommand } from './named-commands.ts'
import { registerNodeConfig } from './node-config.ts'
import { registerNodeImages } from './node-images.ts'
import { nodeText } from './node-text.ts'
import { registerUpgrade } from './node-upgrade.ts'

interface NodeChange {
  readonly labels?: Record<string, string | null>
  readonly schedulable?: boolean
  readonly group?: string
  readonly address?: string
  readonly speedMilli?: number
  readonly taints?: Record<string, string | null>
  readonly resources?: Record<string, number | string[] | null>
}

export function registerNodes(program: Command): void {
  const node = program.command('node').alias('nodes').summary('list, label, group, taint, drain and add nodes')
  node
    .command('ls')
    .summary('nodes')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.list('listNodes', {}, { signal })
        await printListing(items, nodeListing(out.style), form, out)
        if (form === 'table') for (const note of problemsOf(items)) out.note(note)
      }),
    )
  showCommand(node, 'getNode', { summary: 'everything about a node', argument: 'node', text: nodeText })
  node
    .command('label')
    .summary('set labels (KEY=VALUE) or remove them (KEY-); at once, without a restart')
    .argument('<node>')
    .argument('<labels...>')
    .action(action(async (context, [name = '', ...words]) => updateNode(context, name, { labels: parseLabels(words) })))
  node
    .command('cordon')
    .argument('<node>')
    .summary('place nothing new on it')
    .action(action(async (context, [name = '']) => updateNode(context, name, { schedulable: false })))
  node
    .command('uncordon')
    .argument('<node>')
    .summary('place on it again')
    .action(
      action(async (context, [name = '']) => {
        const { client, out, signal } = context
        const found = await client.call('updateNode', { params: { name }, body: { schedulable: true } }, { signal })
        await printNode(context, found)
        // Two marks keep instances away, and this was only one of them.
        if (found.drain !== undefined) out.note(`${name} is still drained: berth node undrain ${name} ends that`)
      }),
    )
  registerDraining(node)
  registerNodeExec(node)
  registerUpgrade(node)
  registerNodeConfig(node)
  registerScheduling(node)
  registerNodeImages(node)
  node
    .command('rm')
    .argument('<nodes...>')
    .summary('forget nodes that run nothing; a lost one: drain it first, so that its instances come back elsewhere')
    .action(
      action(async ({ client, out, signal, confirm }, names) => {
        await confirm(`Forget ${names.length === 1 ? 'node' : 'nodes'} ${names.join(', ')}?`)
        for (const name of names) {
          await client.call('removeNode', { params: { name } }, { signal })
          out.note(`node ${name} is forgotten`)
        }
      }),
    )
  node
    .command('token')
    .summary('a one-time token with the command that joins a machine')
    .option('--ttl <duration>', 'valid for so long', '1h')
    .option('--group <name>', 'node group that the machine comes into')
    .action(
      action<{ ttl: string; group?: string }>(async ({ client, out, form, signal }, _, { ttl, group }) => {
        const body = { ttlMs: parseDuration(ttl), ...(group === undefined ? {} : { group }) }
        const token = await client.call('createJoinToken', { body }, { signal })
        await printItem(token, form, out, (each) => each.command)
      }),
    )
}

function registerDraining(node: Command): void {
  node
    .command('drain')
    .argument('<node>')
    .summary('replace its instances elsewhere, and place nothing new on it')
    .option('--limit <count>', 'so many instances on their way at a time', '1')
    .option('-w, --wait', 'until nothing is left there (Ctrl-C stops the waiting, not the draining)')
    .action(
      action<{ limit: string; wait?: boolean }>(async (context, [name = ''], options) => {
        const body = { limit: parseCount(options.limit, '--limit') }
        const found = await context.client.call('drainNode', { params: { name }, body }, { signal: context.signal })
        await printNode(context, found)
        if (options.wait === true) return await untilEmpty(context, name)
        context.out.note(drainText(found))
      }),
    )
  node
    .command('undrain')
    .argument('<node>')
    .summary('take instances again')
    .action(
      action(async (context, [name = '']) =>
        printNode(context, await context.client.call('undrainNode', { params: { name } }, { signal: context.signal })),
      ),
    )
}

const drainLookMs = 1_000

/** Says how many are left, and what those that come next wait for, whenever that changes. */
async function untilEmpty({ client, out, signal }: CommandContext, name: string): Promise<void> {
  const lines = new DrainLines(name)
  const goesOn = (): void => out.note(`${name} is drained all the same; berth node undrain ${name} ends that`)
  signal.addEventListener('abort', goesOn, { once: true })
  try {
    for (;;) {
      const node = await client.call('getNode', { params: { name } }, { signal })
      if (node.instances === 0) return out.note(`nothing runs on ${name} any more`)
      if (node.drain === undefined)
        throw new BerthError('node.not-draining', `wait for ${name} to be empty: somebody has ended its draining`)
      for (const line of lines.newsOf(node)) out.note(line)
      await delay(drainLookMs, undefined, { signal })
    }
  } finally {
    signal.removeEventListener('abort', goesOn)
  }
}

function registerScheduling(node: Command): void {
  node
    .command('group')
    .summary('put a node that runs nothing into a node group')
    .argument('<node>')
    .argument('<group>')
    .action(action(async (context, [name = '', group = '']) => updateNode(context, name, { group })))
  node
    .command('address')
    .summary('say at which address others reach it, after its machine got another one')
    .description(
      'Nodes send what is for its instances there from now on. The machine itself dials as before: that its address is another one changes nothing for what runs on it.',
    )
    .argument('<node>')
    .argument('<ip>')
    .action(action(async (context, [name = '', address = '']) => updateNode(context, name, { address })))
  node
    .command('taint')
    .summary('keep everything away that does not tolerate it (KEY or KEY=VALUE), or take that back (KEY-)')
    .argument('<node>')
    .argument('<taints...>')
    .action(action(async (context, [name = '', ...words]) => updateNode(context, name, { taints: parseTaints(words) })))
  node
    .command('resource')
    .summary('declare what it has beyond CPU, memory and disk: gpu=4, fpga=a,b; gpu- removes')
    .argument('<node>')
    .argument('<resources...>')
    .action(
      action(async (context, [name = '', ...words]) => updateNode(context, name, { resources: parseResources(words) })),
    )
  node
    .command('speed')
    .summary('what its cores are worth beside others’: 0.75 is three quarters')
    .argument('<node>')
    .argument('[speed]', 'left out with --measure')
    .option('--measure', 'find out, by a short piece of work on it and on another node')
    .option('--against <node>', 'which other (default: the first of speed 1)')
    .action(
      action<{ measure?: boolean; against?: string }>(async (context, [name = '', speed], options) => {
        if ((speed === undefined) !== (options.measure === true))
          throw new BerthError('usage.speed', 'give the speed, such as 0.75, or say --measure')
        if (speed !== undefined) return await updateNode(context, name, { speedMilli: parseSpeed(speed) })
        await measure(context, name, options.against)
      }),
    )
}

async function measure(context: CommandContext, name: string, other: string | undefined): Promise<void> {
  const { client, signal, out } = context
  const body = other === undefined ? {} : { against: other }
  const { node, against } = await client.call('measureNode', { params: { name }, body }, { signal })
  out.note(`a core of ${name} is worth ${(node.speedMilli ?? 1000) / 1000} beside ${against}`)
  await printNode(context, node)
}

const namedNodes = 3

/** What many nodes have alike is one line: a server with other keys is one problem, not as many as there are nodes. */
export function problemsOf(nodes: readonly Pick<NodeView, 'name' | 'problems'>[]): string[] {
  const having = new Map<string, string[]>()
  for (const { name, problems } of nodes)
    for (const problem of problems) having.set(problem, [...(having.get(problem) ?? []), name])
  return [...having].map(([problem, names]) => {
    const more = names.length - namedNodes
    const who = more > 0 ? `${names.slice(0, namedNodes).join(', ')} and ${more} more` : names.join(', ')
    return `${who}: ${problem}`
  })
}

export function parseLabels(words: readonly string[]): Record<string, string | null> {
  const labels: Record<string, string | null> = {}
  for (const word of words) {
    const match = /^([A-Za-z0-9][\w./-]{0,62})(?:=(.*)|(-))$/.exec(word)
    if (match === null)
      throw new BerthError('usage.label', `${word} is no label; write KEY=VALUE to set it, KEY- to remove it`)
    labels[match[1] ?? ''] = match[3] === '-' && match[2] === undefined ? null : (match[2] ?? '')
  }
  return labels
}

/** `dedicated=ml`, `gpu`, `spot-` */
export function parseTaints(words: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(
    words.map((word) => {
      const gone = word.endsWith('-') && !word.includes('=')
      const taint = parseTaint(gone ? word.slice(0, -1) : word)
      if (!taint.ok) throw new BerthError('usage.taint', `${taint.message}; KEY- takes one back`)
      return [taint.value.key, gone ? null : (taint.value.value ?? '')]
    }),
  )
}

/** `gpu=4`, `bandwidth=10G`, `fpga=a,b`, `gpu-` */
export function parseResources(words: readonly string[]): Record<string, number | string[] | null> {
  return Object.fromEntries(
    words.map((word) => {
      const [, name = '', amount, gone] = /^([^=]+?)(?:=(.+)|(-))$/.exec(word) ?? []
      if (name === '' || (amount === undefined && gone === undefined))
        throw new BerthError('usage.resource', `${word} is no resource; write gpu=4, fpga=a,b or gpu- to remove it`)
      if (amount === undefined) return [name, null]
      const count = parseQuantity(amount)
      return [name, count.ok ? count.value : amount.split(',')]
    }),
  )
}

/** `0.75` → 750 */
export function parseSpeed(text: string): number {
  const speed = parseCpu(text)
  if (speed.ok && speed.value >= 10 && speed.value <= 100_000) return speed.value
  throw new BerthError('usage.speed', `${text} is no speed; write a number such as 0.75, from 0.01 to 100`)
}

function parseCount(text: string, option: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text)
  throw new BerthError('usage.count', `${option} ${text}: write a whole number from 1`)
}

async function updateNode(context: CommandContext, name: string, body: NodeChange): Promise<void> {
  const { client, signal } = context
  await printNode(context, await client.call('updateNode', { params: { name }, body }, { signal }))
}

const printNode = ({ out, form }: CommandContext, node: NodeView): Promise<void> =>
  Promise.resolve(printListing([node], nodeListing(out.style), form, out))

function stateOf({ online, schedulable, drain, instances }: NodeView, style: CommandContext['out']['style']): string {
  if (!online) return style.red('offline')
  if (drain !== undefined) return style.yellow(instances > 0 ? 'draining' : 'drained')
  return schedulable ? style.green('online') : style.yellow('cordoned')
}

const nodeListing = (style: CommandContext['out']['style']): ListingView<NodeView> => ({
  headers: ['node', 'state', 'version', 'group', 'address', 'instances', 'cpu', 'memory', 'disk free', 'labels'],
  row: (each) => [
    each.name,
    stateOf(each, style),
    each.agentVersion || '-',
    each.group ?? 'default',
    each.address,
    String(each.instances),
    `${formatCores(each.cpuGivenMilli)}/${formatCores(each.cpuMilli)}`,
    `${formatBytes(each.memoryGivenBytes)}/${formatBytes(each.memoryBytes)}`,
    formatBytes(each.diskFreeBytes),
    Object.entries(each.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || '-',
  ],
  wideHeaders: ['taints', 'resources', 'speed', 'block', 'engine', 'cgroup', 'kernel', 'problems'],
  wideRow: (each) => [
    each.taints?.map(formatTaint).join(',') || '-',
    Object.entries(each.resources ?? {})
      .map(([key, amount]) => `${key}=${amount}`)
      .join(' ') || '-',
    String((each.speedMilli ?? 1000) / 1000),
    [each.block, ...(each.furtherBlocks ?? []).map(({ block }) => block)].join(' '),
    each.engineVersion,
    each.cgroup,
    each.kernel,
    each.problems.join('; '),
  ],
  name: (each) => each.name,
  empty: 'no nodes yet; run `berth up` here, or `berth node add USER@HOST` for other machines',
})
