import type { NodeRoutesView, RoutingView } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { readText } from '../files.ts'
import { printItem, printListing } from '../output/print.ts'
import { readSecret } from '../read-secret.ts'
import { action } from './command.ts'
import { removeCommand } from './named-commands.ts'
import { registerAttach } from './net-attach.ts'
import { cloudProblems, cloudRouteListing, cloudRouteRows, registerCloudTables } from './net-cloud.ts'
import { registerExplain } from './net-explain.ts'
import { registerFlows } from './net-flows.ts'
import { registerLans } from './net-lans.ts'
import { registerMatrix } from './net-matrix.ts'
import { registerNetPlan } from './net-plan.ts'
import { type RouteRow, routeListing, routeRows, routingText, sessionListing, sessionRows } from './net-text.ts'
import { warnOfSites } from './unknown-words.ts'
import { labelOf, wholeNumber } from './words.ts'

interface SetOptions {
  readonly routes?: string
  readonly as?: string
  readonly site?: readonly string[]
  readonly meshUpTo?: string
  readonly reflectors?: string
  readonly searchDomains?: readonly string[]
  readonly consulDomain?: string
}

interface PeerOptions {
  readonly as: string
  readonly label?: string
  readonly password?: boolean
  readonly passwordFile?: string
}

/** The network of the cluster: how nodes learn the routes to each other's blocks. */
export function registerNet(program: Command): void {
  const net = program
    .command('net')
    .summary("the network: how nodes learn the routes to each other's instances, and who may talk to whom")
  registerSettings(net)
  registerPeers(net)
  registerCloudTables(net)
  registerLans(net)
  registerAttach(net)
  registerExplain(net)
  registerMatrix(net)
  registerFlows(net)
  registerNetPlan(net)
  net
    .command('routes')
    .summary('which routes nodes have, and from whom; the nodes are asked')
    .argument('[node]', 'this one; all of them unless said otherwise')
    .option('--sessions', 'sessions of BGP instead: with whom, up or down, since when')
    .option('--cloud', 'entries of the providers’ route tables instead: in force, waiting or refused, and why')
    .action(
      action<{ sessions?: boolean; cloud?: boolean }>(async (context, [node], { sessions = false, cloud = false }) => {
        const { form, out, client, signal } = context
        const { tables } = await client.call('getRouting', {}, { signal })
        for (const problem of cloudProblems(tables)) out.note(problem)
        if (cloud) {
          const rows = cloudRouteRows(tables).filter((row) => node === undefined || row.node === node)
          return await printListing(rows, cloudRouteListing, form, out)
        }
        const views = await askNodes(context, node)
        if (sessions) await printListing(sessionRows(views), sessionListing(Date.now()), form, out)
        else await printListing<RouteRow>(routeRows(views), routeListing, form, out)
      }),
    )
}

function registerSettings(net: Command): void {
  net
    .command('show')
    .summary('how nodes learn routes: settings, who passes on, routers; where short names are looked for')
    .action(
      action(async ({ client, out, form, signal }) => {
        await printItem(await client.call('getRouting', {}, { signal }), form, out, routingText)
      }),
    )
  net
    .command('set')
    .summary('change how nodes learn routes, or where short names are looked for; no packet is lost by it')
    .option(
      '--routes <way>',
      'static: all nodes are in one layer 2; bgp: by BIRD on every node; cloud: by a provider’s route table',
    )
    .option('--as <number>', 'AS number of nodes whose site has none of its own (64512)', asNumber)
    .option('--site <site=number...>', 'AS number of a site; `none` takes it away')
    .option('--mesh-up-to <count>', 'so many nodes speak with each other; more, with reflectors (50)', wholeNumber)
    .option('--reflectors <count>', 'nodes of each site that pass on what they learn (2)', wholeNumber)
    .option(
      '--search-domains <domain...>',
      'where short names of instances are looked for behind their own app’s, in this order; `none` for nowhere',
    )
    .option(
      '--consul-domain <domain>',
      'nodes answer Consul’s names below it, as in web.service.consul; `none` for nowhere',
    )
    .action(
      action<SetOptions>(async (context, _, options) => {
        const { client, out, form, signal, confirm } = context
        const body = changeOf(options)
        if (body.mode !== undefined) await confirm(`Have nodes learn routes by ${body.mode}?`)
        const view = await client.call('updateRouting', { body }, { signal })
        await printItem(view, form, out, routingText)
        const given = Object.entries(body.sites ?? {}).flatMap(([site, number]) => (number === null ? [] : [site]))
        await warnOfSites(context, given)
      }),
    )
}

function registerPeers(net: Command): void {
  const peer = net.command('peer').summary('routers that nodes speak BGP with')
  peer
    .command('set')
    .summary('have nodes speak BGP with a router, or change how')
    .argument('<name>')
    .argument('<address>', 'its IPv4 address')
    .requiredOption('--as <number>', 'its AS number', asNumber)
    .option('--label <name=value>', 'only nodes that bear it (default: all)')
    .option('--password', 'ask for the password of the session (TCP MD5); it never stands on the command line')
    .option('--password-file <path>', 'read it from this file; an empty one takes it away')
    .action(
      action<PeerOptions>(async ({ client, out, form, signal }, [name = '', address = ''], options) => {
        const password = await passwordOf(name, options, signal)
        const label = options.label === undefined ? {} : { label: labelOf(options.label) }
        const body = { address, as: Number(options.as), ...label, ...(password === undefined ? {} : { password }) }
        const view = await client.call('setRoutingPeer', { params: { name }, body }, { signal })
        await printItem(view, form, out, routingText)
      }),
    )
  removeCommand(peer, 'removeRoutingPeer', {
    summary: 'have nodes speak BGP with a router no more',
    question: (name) => `Have nodes speak BGP with ${name} no more?`,
    done: (name) => `nodes speak BGP with ${name} no more`,
  })
}

/** One that cannot be asked is said, and does not keep the others from being shown. */
async function askNodes({ client, out, signal }: CommandContext, node: string | undefined): Promise<NodeRoutesView[]> {
  const ask = (name: string) => client.call('getNodeRoutes', { params: { name } }, { signal })
  if (node !== undefined) return [await ask(node)]
  const { items } = await client.list('listNodes', {}, { signal })
  const answers = await Promise.allSettled(items.map(({ name }) => ask(name)))
  return answers.flatMap((answer, index) => {
    if (answer.status === 'fulfilled') return [answer.value]
    out.note(`${items[index]?.name}: ${messageOf(answer.reason)}`)
    return []
  })
}

type Change = Partial<Pick<RoutingView, 'mode' | 'as' | 'meshUpTo' | 'reflectors'>> & {
  searchDomains?: string[]
  readonly consulDomain?: string
  readonly sites?: Record<string, number | null>
}

export function changeOf({
  routes,
  as,
  site,
  meshUpTo,
  reflectors,
  searchDomains: search,
  consulDomain,
}: SetOptions): Change {
  const change = {
    ...(routes === undefined ? {} : { mode: modeOf(routes) }),
    ...(as === undefined ? {} : { as: Number(as) }),
    ...(site === undefined ? {} : { sites: Object.fromEntries(site.map(siteOf)) }),
    ...(meshUpTo === undefined ? {} : { meshUpTo: Number(meshUpTo) }),
    ...(reflectors === undefined ? {} : { reflectors: Number(reflectors) }),
    ...(search === undefined ? {} : { searchDomains: search.join() === 'none' ? [] : [...search] }),
    ...(consulDomain === undefined ? {} : { consulDomain: consulDomain === 'none' ? '' : consulDomain }),
  }
  if (Object.keys(change).length === 0)
    throw new BerthError('usage.value', 'say what to set, e.g. --routes bgp; see: berth net show')
  return change
}

/** Longer than other numbers may be. */
function asNumber(text: string): string {
  if (/^\d{1,10}$/.test(text)) return text
  throw new InvalidArgumentError('Write a whole number.')
}

function modeOf(text: string): RoutingView['mode'] {
  if (text === 'static' || text === 'bgp' || text === 'cloud') return text
  throw new BerthError('usage.value', `--routes ${text}: use static, bgp or cloud`)
}

function siteOf(text: string): [string, number | null] {
  const [, site = '', number = ''] = /^(.+)=(\d{1,10}|none)$/.exec(text) ?? []
  if (site === '') throw new BerthError('usage.value', `--site ${text}: write e.g. paris=64601, or paris=none`)
  return [site, number === 'none' ? null : Number(number)]
}

async function passwordOf(name: string, options: PeerOptions, signal: AbortSignal): Promise<string | undefined> {
  if (options.passwordFile !== undefined) return readText(options.passwordFile).replace(/\r?\n$/, '')
  return options.password === true ? await readSecret(`password of the session with ${name}`, signal) : undefined
}
