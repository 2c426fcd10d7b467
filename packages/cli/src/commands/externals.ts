import type { ExternalView } from '@berth/api'
import { BerthError, type ExternalDocument } from '@berth/core'
import type { Command } from 'commander'
import { parse, stringify } from 'yaml'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, showCommand } from './named-commands.ts'
import { warnOfSites, warnOfTags } from './unknown-words.ts'

interface SetOptions {
  readonly address?: readonly string[]
  readonly target?: string
  readonly port?: readonly string[]
  readonly tag?: readonly string[]
  readonly site?: string
  readonly route?: readonly string[]
  readonly tls?: string
  readonly option?: readonly string[]
  readonly ifVersion?: string
}

/** What Berth does not run but names, routes and guards. */
export function registerExternals(program: Command): void {
  const external = program
    .command('external')
    .alias('externals')
    .summary('services that Berth does not run but names, routes and guards')
  listCommand(external, 'listExternals', 'external services, and what they are called', () => externalListing)
  showCommand(external, 'getExternal', { summary: 'one of them, with ports, tags and routes', text: externalText })
  registerSet(external)
  external
    .command('rm')
    .argument('<name>')
    .summary('forget one: its name, its routes, and what its tags let through')
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        const { hostname } = await client.call('getExternal', { params: { name } }, { signal })
        await confirm(`Forget the external service ${name}? ${hostname} will be no name any more.`)
        await client.call('removeExternal', { params: { name }, query: {} }, { signal })
        out.note(`${hostname} is no name any more`)
      }),
    )
}

function registerSet(external: Command): void {
  external
    .command('set')
    .argument('<name>', 'NAME, NAME.APP, or NAME.POOL.APP for one pool of the app')
    .summary('make or change one; what is not said is not there')
    .option('--address <address...>', 'its IPv4 addresses')
    .option('--target <host>', 'instead: a host name that somebody else answers for')
    .option('--port <name=port...>', 'ports that it listens on: mysql=3306, dns=53/udp, or 8080')
    .option('--tag <tag...>', 'by which rules of security profiles know its addresses')
    .option('--site <site>', 'where it stands, for those who read it')
    .option('--route <host/path...>', 'routes of the gateway that lead to its first tcp port')
    .option('--tls <mode>', 'of these routes: off, on or redirect (on)')
    .option(
      '--option <key=value...>',
      'of these routes, as in berth.yaml: limit=100/s sticky=true "retries={on: [503]}"',
    )
    .option('--if-version <version>', 'only if it still has this version; 0: only if there is none')
    .action(
      action<SetOptions>(async (context, [name = ''], options) => {
        const { client, out, form, signal } = context
        const call = { params: { name }, query: versionOf(options.ifVersion), body: documentOf(options) }
        await printItem(await client.call('setExternal', call, { signal }), form, out, externalText)
        await warnOfSites(context, options.site === undefined ? [] : [options.site])
        await warnOfTags(context, options.tag ?? [])
      }),
    )
}

type SetBody = Pick<ExternalDocument, 'target' | 'site'> & {
  addresses?: string[]
  tags?: string[]
  ports?: (string | { name: string; port: number; protocol: 'tcp' | 'udp' })[]
  routes?: SetRoute[]
}

/** Whatever else it says is an option, about which the server knows. */
type SetRoute = { host: string; path: string; tls?: 'off' | 'on' | 'redirect' } & Readonly<Record<string, unknown>>

/** What was typed, as the server takes it. */
export function documentOf({ address, target, port, tag, site, route, tls, option = [] }: SetOptions): SetBody {
  if (option.length > 0 && route === undefined)
    throw new BerthError('usage.option', `--option ${option[0]}: it is one of routes; give a --route`)
  const options = Object.fromEntries(option.map(optionOf))
  return {
    ...(address === undefined ? {} : { addresses: [...address] }),
    ...(target === undefined ? {} : { target }),
    ...(port === undefined ? {} : { ports: port.map(portOf) }),
    ...(tag === undefined ? {} : { tags: [...tag] }),
    ...(site === undefined ? {} : { site }),
    ...(route === undefined ? {} : { routes: route.map((each) => ({ ...routeOf(each, tls), ...options })) }),
  }
}

function portOf(text: string): NonNullable<SetBody['ports']>[number] {
  const [, name, port, protocol] = /^([^=]+)=([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? []
  if (name === undefined) {
    if (!text.includes('=')) return text
    throw new BerthError('usage.port', `--port ${text}: write NAME=PORT, such as mysql=3306 or dns=53/udp`)
  }
  return { name, port: Number(port), protocol: protocol === 'udp' ? 'udp' : 'tcp' }
}

/** The value as YAML reads it. */
function optionOf(text: string): readonly [string, unknown] {
  const [, key, value] = /^([A-Za-z]+)=(.+)$/s.exec(text) ?? []
  if (key === undefined || value === undefined || key === 'host' || key === 'path')
    throw new BerthError('usage.option', `--option ${text}: write KEY=VALUE, such as limit=100/s`)
  try {
    return [key, parse(value)]
  } catch (cause) {
    throw new BerthError('usage.option', `--option ${text}: the value is no YAML`, { cause })
  }
}

function routeOf(text: string, tls: string | undefined): SetRoute {
  if (tls !== undefined && tls !== 'off' && tls !== 'on' && tls !== 'redirect')
    throw new BerthError('usage.tls', `--tls ${tls}: write off, on or redirect`)
  const slash = text.indexOf('/')
  const place = slash < 0 ? { host: text, path: '/' } : { host: text.slice(0, slash), path: text.slice(slash) }
  return { ...place, ...(tls === undefined ? {} : { tls }) }
}

function versionOf(text: string | undefined): { version?: number } {
  if (text === undefined) return {}
  if (!/^[0-9]{1,9}$/.test(text))
    throw new BerthError('usage.version', `--if-version ${text}: write its version; see: berth external ls`)
  return { version: Number(text) }
}

export function externalText({
  hostname,
  addresses,
  target,
  ports,
  tags,
  site,
  routes,
  version,
}: ExternalView): string {
  const rows: readonly (readonly [string, string])[] = [
    ['name', hostname],
    ['is', target ?? addresses.join(' ')],
    ['ports', ports.map(portText).join(' ')],
    ['tags', tags.join(' ')],
    ['site', site ?? ''],
    ['routes', routes.map(routeText).join(', ')],
    ['version', String(version)],
  ]
  return rows.flatMap(([key, value]) => (value === '' ? [] : [`${key.padEnd(8)} ${value}`])).join('\n')
}

function routeText({ host, path, port, tls, options = {} }: ExternalView['routes'][number]): string {
  const more = Object.entries(options).map(
    ([key, value]) => `, ${key} ${typeof value === 'object' ? stringify(value, inline).trim() : value}`,
  )
  return `${host}${path} to ${port} (tls ${tls}${more.join('')})`
}

const inline = { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false } as const

const portText = ({ name, port, protocol }: ExternalView['ports'][number]): string =>
  `${name}=${port}${protocol === 'udp' ? '/udp' : ''}`

const externalListing: ListingView<ExternalView> = {
  headers: ['name', 'is', 'ports', 'tags', 'site', 'routes', 'age'],
  row: ({ hostname, addresses, target, ports, tags, site, routes, updatedAt }) => [
    hostname,
    target ?? addresses.join(','),
    ports.map(portText).join(',') || '-',
    tags.join(',') || '-',
    site ?? '-',
    String(routes.length),
    formatAge(Date.now() - updatedAt),
  ],
  wideHeaders: ['version', 'by', 'routes of the gateway'],
  wideRow: ({ version, updatedBy, routes }) => [
    ...[String(version), updatedBy, routes.map(({ host, path }) => `${host}${path}`).join(' ')],
  ],
  name: ({ name }) => name,
  empty: 'no external services; see: berth external set --help',
}
