import type { DomainView } from '@berth/api'
import { BerthError, type DomainDocument } from '@berth/core'
import type { Command } from 'commander'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, removeCommand, showCommand } from './named-commands.ts'
import { warnOfSites } from './unknown-words.ts'

interface AddOptions {
  readonly target?: string
  readonly address?: readonly string[]
  readonly resolver?: readonly string[]
  readonly ifVersion?: string
}

/** Names outside of the cluster's domain that the DNS of nodes answers for. */
export function registerDomains(program: Command): void {
  const domain = program
    .command('domain')
    .alias('domains')
    .summary('domains of your own that the DNS of nodes answers for')
  listCommand(domain, 'listDomains', 'these domains, and what they mean', () => domainListing)
  showCommand(domain, 'getDomain', { summary: 'one of them, with what is odd about it', text: domainText })
  registerAdd(domain)
  removeCommand(domain, 'removeDomain', {
    summary: 'forget one: its names are asked of the nodes’ resolvers again',
    get: 'getDomain',
    question: (name) => `Forget the domain ${name}? The nodes' own resolvers are asked for it from then on.`,
    done: (name) => `${name} is asked of the nodes' own resolvers`,
  })
}

function registerAdd(domain: Command): void {
  domain
    .command('add')
    .alias('set')
    .argument('<name>', 'db.corp.example, or *.shop.corp.example for all that is below')
    .argument('[target]', 'what it means: APP, ENTRYPOINT.APP, ENTRYPOINT.POOL.APP, an instance or an external service')
    .summary('make or change one; what is not said is not there')
    .option('--address <address...>', 'instead of a target: IPv4 addresses')
    .option('--resolver <address...>', 'instead: who is asked for it and all below it; SITE=ADDRESS for one site')
    .option('--if-version <version>', 'only if it still has this version; 0: only if there is none')
    .action(
      action<AddOptions>(async (context, [name = '', target], options) => {
        const { client, out, form, signal } = context
        const body = documentOf({ ...options, ...(target === undefined ? {} : { target }) })
        const call = { params: { name }, query: versionOf(options.ifVersion), body }
        await printItem(await client.call('setDomain', call, { signal }), form, out, domainText)
        const sites = (body.resolvers ?? []).flatMap(({ site }) => site ?? [])
        await warnOfSites(context, sites)
      }),
    )
}

type AddBody = Pick<DomainDocument, 'target'> & {
  addresses?: string[]
  resolvers?: { address: string; site?: string }[]
}

/** What was typed, as the server takes it. */
export function documentOf({ target, address, resolver }: AddOptions): AddBody {
  return {
    ...(target === undefined ? {} : { target }),
    ...(address === undefined ? {} : { addresses: [...address] }),
    ...(resolver === undefined ? {} : { resolvers: resolver.map(resolverOf) }),
  }
}

function resolverOf(text: string): { address: string; site?: string } {
  const split = text.lastIndexOf('=')
  return split < 0 ? { address: text } : { site: text.slice(0, split), address: text.slice(split + 1) }
}

function versionOf(text: string | undefined): { version?: number } {
  if (text === undefined) return {}
  if (!/^[0-9]{1,9}$/.test(text))
    throw new BerthError('usage.version', `--if-version ${text}: write its version; see: berth domain ls -o wide`)
  return { version: Number(text) }
}

const meaningOf = ({ target, addresses, resolvers }: DomainView): string =>
  target ?? (addresses.length > 0 ? addresses.join(' ') : `asked of ${resolvers.map(resolverText).join(' ')}`)

const resolverText = ({ address, site }: DomainView['resolvers'][number]): string =>
  site === undefined ? address : `${site}=${address}`

export function domainText(view: DomainView): string {
  const rows = [
    ['name', view.name],
    ['is', meaningOf(view)],
    ['version', String(view.version)],
    ...view.warnings.map((each) => ['warning', each]),
  ]
  return rows.map(([key = '', value]) => `${key.padEnd(8)} ${value}`).join('\n')
}

const domainListing: ListingView<DomainView> = {
  headers: ['name', 'is', 'age', 'warnings'],
  row: (view) => [view.name, meaningOf(view), formatAge(Date.now() - view.updatedAt), view.warnings.join('; ') || '-'],
  wideHeaders: ['version', 'by'],
  wideRow: ({ version, updatedBy }) => [String(version), updatedBy],
  name: ({ name }) => name,
  empty: 'no domains of your own; see: berth domain add --help',
}
