import { spawn } from 'node:child_process'
import type { ServerView, StatusView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Contexts } from '../context/contexts.ts'
import { formatBytes } from '../output/format.ts'
import { printItem } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { type PoolOption, parseTarget } from '../target.ts'
import { action } from './command.ts'

export function registerMisc(program: Command): void {
  registerStatus(program)
  registerOpen(program)
}

function registerStatus(program: Command): void {
  program
    .command('status')
    .summary('the cluster at a glance')
    .action(
      action(async ({ client, out, form, signal, contextName }) => {
        const status = await client.call('getStatus', {}, { signal })
        await printItem(status, form, out, (each) => statusText(each, contextName, out.style))
        if (status.authority !== undefined && new Contexts().learnAuthority(contextName, status.authority.trustPem))
          out.note(`context ${contextName} knows the renewed authority of its cluster from now on`)
      }),
    )
}

function statusText(status: StatusView, contextName: string, style: Style): string {
  const { authority } = status
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10)
  return [
    `context    ${contextName} (you are ${status.actor}, ${status.role})`,
    `server     ${status.version}, up since ${new Date(status.startedAt).toISOString()}`,
    ...serverLines(status.servers ?? []),
    `nodes      ${status.nodesOnline} of ${status.nodes} online`,
    `apps       ${status.apps}`,
    `instances  ${status.instancesReady} of ${status.instances} ready`,
    `gateway    ${status.gatewayUrl ?? '-'}`,
    ...(status.failover ?? []).map(
      ({ address, heldBy }) => `failover   ${address} at ${heldBy.join(', ') || 'nobody'}`,
    ),
    `console    ${status.consoleUrl ?? '-'}`,
    ...(status.store === undefined ? [] : [`store      ${storeText(status.store)}`]),
    ...(authority === undefined ? [] : [`authority  ${authority.fingerprint}, until ${day(authority.expiresAt)}`]),
    ...(status.problems ?? []).map((problem) => `${style.red('problem')}    ${problem}`),
  ].join('\n')
}

function storeText({
  kind,
  revision,
  sizeBytes,
  members,
  location,
  healthy,
}: NonNullable<StatusView['store']>): string {
  const size = sizeBytes === undefined ? '' : `, ${formatBytes(sizeBytes)}`
  const well = members?.filter((member) => member.healthy).length
  const leader = members?.find((member) => member.leader === true)
  const who =
    members === undefined
      ? location
      : `${location}, ${well} of ${members.length} members healthy${leader === undefined ? '' : `, ${leader.address} leads`}`
  return `${kind} at revision ${revision}${size}: ${who}${healthy ? '' : ' (takes no commits)'}`
}

/** Nothing to tell where there is one. */
function serverLines(servers: readonly ServerView[]): string[] {
  if (servers.length < 2) return []
  const leaders = servers.flatMap(({ name, leads }) => leads.map((role) => `${role}: ${name}`)).sort()
  const names = servers.map(({ name, answers }) => (answers ? `${name} (answers)` : name))
  return [`servers    ${names.join(', ')}`, `leaders    ${leaders.join(', ') || 'none at this moment'}`]
}

function registerOpen(program: Command): void {
  program
    .command('open')
    .summary('open an app, or the console, in the browser')
    .argument('[app]', 'APP; left out: the console')
    .option('-e, --environment <name>')
    .option('--ui', 'the console at this app')
    .option('--print', 'only print the address')
    .action(
      action<PoolOption & { ui?: boolean; print?: boolean }>(async (context, [text], options) => {
        const url = await addressOf(context, text, options)
        context.out.line(url)
        const opener = process.env.BROWSER ?? 'xdg-open'
        if (options.print === true || !context.out.isTerminal) return
        spawn(opener, [url], { stdio: 'ignore', detached: true })
          .once('error', () => context.out.note(`${opener} could not be started; open the address yourself`))
          .unref()
      }),
    )
}

async function addressOf(
  context: CommandContext,
  text: string | undefined,
  options: PoolOption & { ui?: boolean },
): Promise<string> {
  const { client, signal } = context
  if (text === undefined || options.ui === true) {
    const { consoleUrl } = await client.call('getStatus', {}, { signal })
    if (consoleUrl === undefined)
      throw new BerthError('console.none', 'the server has no address for people; start it with --listen')
    return text === undefined
      ? consoleUrl
      : `${consoleUrl.replace(/\/$/, '')}/apps/${encodeURIComponent(parseTarget(text, context, options).app)}`
  }
  const { app, pool } = parseTarget(text, context, options)
  const found = await client.call('getApp', { params: { app } }, { signal })
  const url = found.pools.find((each) => each.name === pool)?.urls.find((each) => each.startsWith('http'))
  if (url === undefined)
    throw new BerthError('route.none', `${app}@${pool} has no route; give it one under routes: in its berth.yaml`)
  return url
}
