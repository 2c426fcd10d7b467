import type { LanView } from '@berth/api'
import type { Command } from 'commander'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, removeCommand, showCommand } from './named-commands.ts'
import { labelOf, wholeNumber } from './words.ts'

interface CreateOptions {
  readonly mode: string
  readonly parent: string
  readonly vlan?: string
  readonly subnet: string
  readonly gateway?: string
  readonly range?: string
  readonly sliceSize?: string
  readonly label?: string
  readonly group?: readonly string[]
}

/** Networks that machines are on already, as objects: nodes make their Docker networks, each with addresses of its own. */
export function registerLans(net: Command): void {
  registerCreate(net)
  listCommand(
    net,
    'listLans',
    'networks of the machines’ own: which nodes have them, and what is wrong there',
    () => lanListing,
  )
  showCommand(net, 'getLan', { summary: 'one of them, node by node', verb: 'inspect', text: lanText })
  removeCommand(net, 'removeLan', {
    summary: 'remove one that nothing uses; nodes take their Docker networks away',
    get: 'getLan',
    question: (name) => `Remove the network ${name} from all nodes?`,
    done: (name) => `${name} is removed; nodes take it away as soon as no container is in it`,
  })
}

function registerCreate(net: Command): void {
  net
    .command('create')
    .summary('make a network of the machines’ own, for instances to be in as well')
    .description(
      'Every node that it is for gets a slice of the range and a Docker network of that name; two nodes never give the same address. Then write `networks: [NAME]` in berth.yaml, or attach an instance (berth net attach).\nExamples: berth net create lan --parent eth1 --subnet 192.168.7.0/24 --gateway 192.168.7.1 --range 192.168.7.128/25 · berth net create storage --parent eth0 --vlan 120 --subnet 10.12.0.0/16 --label rack=r7',
    )
    .argument('<name>')
    .option(
      '--mode <mode>',
      'macvlan: each container has a link of its own on the interface; flat: it is on a bridge with the machine',
      'macvlan',
    )
    .requiredOption('--parent <interface>', 'by which nodes are on it, the same on each: eth1')
    .option('--vlan <number>', 'VLAN on that interface (802.1q); untagged unless said', wholeNumber)
    .requiredOption('--subnet <block>', 'of the whole network: 192.168.7.0/24')
    .option('--gateway <address>', 'its router')
    .option('--range <block>', 'the part that containers may have addresses of, where no machine has one (the subnet)')
    .option('--slice-size <prefix>', 'prefix length of a node’s slice (a sixteenth of the range)', wholeNumber)
    .option('--label <name=value>', 'only nodes that bear it (default: all)')
    .option('--group <group...>', 'only nodes of these groups (default: all)')
    .action(
      action<CreateOptions>(async ({ client, out, form, signal }, [name = ''], options) => {
        const body = { name, ...bodyOf(options) }
        await printItem(await client.call('createLan', { body }, { signal }), form, out, lanText)
      }),
    )
}

function bodyOf({ mode, parent, vlan, subnet, gateway, range, sliceSize, label, group }: CreateOptions) {
  return {
    ...{ mode, parent, subnet },
    ...(vlan === undefined ? {} : { vlan: Number(vlan) }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(range === undefined ? {} : { range }),
    ...(sliceSize === undefined ? {} : { sliceSize: Number(sliceSize) }),
    ...(label === undefined ? {} : { label: labelOf(label) }),
    ...(group === undefined ? {} : { groups: [...group] }),
  }
}

const linkOf = ({ parent, vlan }: LanView): string => (vlan === undefined ? parent : `${parent}.${vlan}`)

const whoseOf = ({ label, groups }: LanView): string =>
  [
    ...(label === undefined ? [] : [`${label.name}=${label.value}`]),
    ...(groups.length === 0 ? [] : [`group ${groups.join(', ')}`]),
  ].join(', ') || 'every node'

export function lanText(lan: LanView): string {
  const { name, mode, subnet, gateway, range, sliceSize, slices, nodes, instances } = lan
  const rows: readonly (readonly [string, string])[] = [
    ['name', name],
    ['mode', `${mode} on ${linkOf(lan)}`],
    ['subnet', gateway === undefined ? `${subnet}, without a router` : `${subnet}, router ${gateway}`],
    ['range', `${range} in slices of /${sliceSize}: ${slices.used} of ${slices.total} given out`],
    ['for', whoseOf(lan)],
    ['instances', String(instances)],
    ...nodes.map((node): [string, string] => [
      'node',
      [node.name, node.slice ?? 'no slice', node.state, ...(node.message === undefined ? [] : [node.message])].join(
        '  ',
      ),
    ]),
  ]
  return rows.map(([key, value]) => `${key.padEnd(9)} ${value}`).join('\n')
}

/** One problem in full, and how many others there are. */
function problemsOf({ nodes }: LanView): string {
  const problems = nodes.filter(({ state }) => state === 'problem')
  const [first] = problems
  if (first === undefined) return '-'
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return `${first.name}: ${first.message ?? ''}${more}`
}

const lanListing: ListingView<LanView> = {
  headers: ['name', 'mode', 'on', 'subnet', 'nodes', 'instances', 'problems'],
  row: (lan) => [
    ...[lan.name, lan.mode, linkOf(lan), lan.subnet],
    `${lan.nodes.filter(({ state }) => state === 'ready').length}/${lan.nodes.length}`,
    ...[String(lan.instances), problemsOf(lan)],
  ],
  wideHeaders: ['range', 'slices', 'for', 'age'],
  wideRow: (lan) => [
    ...[`${lan.range} in /${lan.sliceSize}`, `${lan.slices.used}/${lan.slices.total}`, whoseOf(lan)],
    formatAge(Date.now() - lan.createdAt),
  ],
  name: ({ name }) => name,
  empty: 'no networks of the machines’ own; see: berth net create --help',
}
