import type { GroupView } from '@berth/api'
import { BerthError, imageLimitsText, imageRules, parseBytes, parseCpu } from '@berth/core'
import type { Command } from 'commander'
import { formatBytes, formatCores } from '../output/format.ts'
import { type ListingView, printListing } from '../output/print.ts'
import { action } from './command.ts'
import { type ImageLimitsChange, imagesOf } from './image-limits.ts'
import { listCommand, removeCommand, showCommand } from './named-commands.ts'

interface GroupOptions {
  readonly cpu?: string
  readonly shareBase?: string
  readonly maxSharedCores?: string
  readonly oversell?: string
  readonly quotaCpu?: string
  readonly quotaMemory?: string
  readonly allow?: string
  readonly approveAbove?: string
  readonly approvers?: string
  readonly rebalanceOnJoin?: string
  readonly imageTakes?: string
  readonly imageGives?: string
  readonly imageRate?: string
}

export function registerGroups(program: Command): void {
  const group = program
    .command('group')
    .alias('groups')
    .summary('node groups: how CPU is given out, how much, and to whom')
  listCommand(group, 'listGroups', 'node groups', () => groupListing)
  showCommand(group, 'getGroup', {
    summary: 'everything about a node group',
    argument: 'group',
    text: (each) => JSON.stringify(each, null, 2),
  })
  withRules(group.command('create').argument('<group>').summary('make a node group')).action(
    action<GroupOptions>(async ({ client, out, form, signal }, [name = ''], options) => {
      const rules = Object.entries(parseRules(options, undefined)).filter(([, value]) => value !== null)
      const made = await client.call('createGroup', { body: { name, ...Object.fromEntries(rules) } }, { signal })
      await printListing([made], groupListing, form, out)
    }),
  )
  withRules(group.command('set').argument('<group>').summary('change its rules; `none` takes one back')).action(
    action<GroupOptions>(async ({ client, out, form, signal }, [name = ''], options) => {
      const before = await client.call('getGroup', { params: { name } }, { signal })
      const changed = await client.call(
        'updateGroup',
        { params: { name }, body: parseRules(options, before) },
        { signal },
      )
      await printListing([changed], groupListing, form, out)
    }),
  )
  removeCommand(group, 'removeGroup', {
    summary: 'remove a node group that no node is in',
    argument: 'group',
    question: (name) => `Remove node group ${name}?`,
    done: (name) => `node group ${name} is removed`,
  })
}

const withRules = (command: Command): Command =>
  command
    .option('--cpu <mode>', 'bound: instances own cores; shared: limits only')
    .option('--share-base <pieces>', 'into how many pieces a core may be cut: 10, 100 or 1000')
    .option('--max-shared-cores <count>', 'of a node at most so many cores are shared (bound)')
    .option('--oversell <factor>', 'what can be shared is given out so many times: 1.5')
    .option('--quota-cpu <cores>', 'all instances in it together')
    .option('--quota-memory <size>', 'all instances in it together')
    .option('--allow <owners>', 'owners of tokens who may use it, with commas between them (default: everybody)')
    .option('--approve-above <size>', 'more memory for an instance waits for a person')
    .option('--approvers <owners>', 'owners of tokens who may approve; admins always may')
    .option(
      '--rebalance-on-join <count>',
      'when a node joins, instances move to it, so many at a time; none: they stay',
    )
    .option('--image-takes <count>', 'so many images may be on their way to each of its nodes at once')
    .option('--image-gives <count>', 'and so many from each to others')
    .option('--image-rate <size>', 'no faster than that a second, both ways together: 50Mi')

interface Rules {
  cpu?: 'bound' | 'shared'
  shareBase?: 10 | 100 | 1000
  maxSharedCores?: number | null
  oversellMilli?: number
  quota?: { cpuMilli?: number | undefined; memoryBytes?: number | undefined } | null
  allowedOwners?: string[] | null
  memoryApproval?: { aboveBytes: number; approvers: string[] } | null
  rebalanceOnJoin?: { disruption: number } | null
  images?: ImageLimitsChange
}

/** `before`: what the rules were, since a quota and an approval are each changed as a whole. */
export function parseRules(options: GroupOptions, before: GroupView | undefined): Rules {
  const { cpu, shareBase, maxSharedCores, oversell, allow } = options
  return {
    ...(cpu === undefined ? {} : { cpu: oneOf(cpu, ['bound', 'shared'] as const, '--cpu') }),
    ...(shareBase === undefined ? {} : { shareBase: shareBaseOf(shareBase) }),
    ...(maxSharedCores === undefined ? {} : { maxSharedCores: orNone(maxSharedCores, wholeNumber) }),
    ...(oversell === undefined ? {} : { oversellMilli: amount(parseCpu(oversell), '--oversell') }),
    ...(allow === undefined ? {} : { allowedOwners: orNone(allow, owners) }),
    ...quotaOf(options, before),
    ...approvalOf(options, before),
    ...imagesOf({ takes: options.imageTakes, gives: options.imageGives, rate: options.imageRate }, 'image-'),
    ...(options.rebalanceOnJoin === undefined
      ? {}
      : { rebalanceOnJoin: orNone(options.rebalanceOnJoin, disruptionOf) }),
  }
}

const disruptionOf = (text: string): { disruption: number } => ({ disruption: wholeNumber(text) })

function quotaOf({ quotaCpu, quotaMemory }: GroupOptions, before: GroupView | undefined): Pick<Rules, 'quota'> {
  if (quotaCpu === undefined && quotaMemory === undefined) return {}
  const cpuMilli =
    quotaCpu === undefined
      ? before?.quota?.cpuMilli
      : (orNone(quotaCpu, (text) => amount(parseCpu(text), '--quota-cpu')) ?? undefined)
  const memoryBytes =
    quotaMemory === undefined
      ? before?.quota?.memoryBytes
      : (orNone(quotaMemory, (text) => amount(parseBytes(text), '--quota-memory')) ?? undefined)
  if (cpuMilli === undefined && memoryBytes === undefined) return { quota: null }
  return {
    quota: { ...(cpuMilli === undefined ? {} : { cpuMilli }), ...(memoryBytes === undefined ? {} : { memoryBytes }) },
  }
}

function approvalOf(
  { approveAbove, approvers }: GroupOptions,
  before: GroupView | undefined,
): Pick<Rules, 'memoryApproval'> {
  if (approveAbove === undefined && approvers === undefined) return {}
  const aboveBytes =
    approveAbove === undefined
      ? before?.memoryApproval?.aboveBytes
      : orNone(approveAbove, (text) => amount(parseBytes(text), '--approve-above'))
  if (aboveBytes === null) return { memoryApproval: null }
  if (aboveBytes === undefined)
    throw new BerthError('usage.group', '--approvers: of what? say --approve-above SIZE as well')
  const names = approvers === undefined ? (before?.memoryApproval?.approvers ?? []) : (orNone(approvers, owners) ?? [])
  return { memoryApproval: { aboveBytes, approvers: names } }
}

const orNone = <T>(text: string, parse: (text: string) => T): T | null => (text === 'none' ? null : parse(text))

const owners = (text: string): string[] =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')

function amount(read: ReturnType<typeof parseCpu>, option: string): number {
  if (read.ok) return read.value
  throw new BerthError(
    'usage.group',
    `${option}: ${read.message}${read.suggestion === undefined ? '' : `; ${read.suggestion}`}`,
  )
}

function oneOf<const T extends string>(text: string, choices: readonly T[], option: string): T {
  const found = choices.find((each) => each === text)
  if (found !== undefined) return found
  throw new BerthError('usage.group', `${option} ${text}: write ${choices.join(' or ')}`)
}

function shareBaseOf(text: string): 10 | 100 | 1000 {
  return Number(oneOf(text, ['10', '100', '1000'], '--share-base')) as 10 | 100 | 1000
}

function wholeNumber(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text)
  throw new BerthError('usage.group', `${text} is no whole number`)
}

const groupListing: ListingView<GroupView> = {
  headers: ['group', 'cpu', 'nodes', 'instances', 'cores', 'memory', 'quota', 'for'],
  row: (each) => [
    each.name,
    each.cpu === 'bound' ? `bound, 1/${each.shareBase}` : 'shared',
    String(each.nodes),
    String(each.instances),
    `${formatCores(each.cpuGivenMilli)}/${formatCores(each.cpuMilli)}`,
    `${formatBytes(each.memoryGivenBytes)}/${formatBytes(each.memoryBytes)}`,
    quotaText(each),
    each.allowedOwners === undefined ? 'everybody' : each.allowedOwners.join(',') || 'admins',
  ],
  wideHeaders: ['oversell', 'shared cores', 'approval above', 'by', 'images'],
  wideRow: (each) => [
    String(each.oversellMilli / 1000),
    each.maxSharedCores === undefined ? 'all' : String(each.maxSharedCores),
    each.memoryApproval === undefined ? '-' : formatBytes(each.memoryApproval.aboveBytes),
    each.memoryApproval?.approvers.join(',') || '-',
    imageLimitsText(imageRules(undefined, each.images)),
  ],
  name: (each) => each.name,
  empty: 'no node groups',
}

const quotaText = ({ quota }: GroupView): string =>
  [
    ...(quota?.cpuMilli === undefined ? [] : [`${formatCores(quota.cpuMilli)} cores`]),
    ...(quota?.memoryBytes === undefined ? [] : [formatBytes(quota.memoryBytes)]),
  ].join(', ') || '-'
