import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConfigPlanView, ConfigVersionView, NodeConfigStatusView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { readText } from '../files.ts'
import { changeLines, formatConfigPlan } from '../output/config-plan.ts'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'

interface SourceOptions {
  readonly repository?: string
  readonly ref?: string
  readonly path?: string
}

interface ApplyOptions extends SourceOptions {
  readonly force?: boolean
  readonly detach?: boolean
}

const lookMs = 500
const documentName = 'nodes.yaml'

export function registerNodeConfig(node: Command): void {
  const config = node.command('config').summary('what machines must have: dockerd, kernel settings, packages, files')
  sourceOptions(config.command('plan'))
    .summary('what a document would change on each node, as it is there now')
    .action(
      action<SourceOptions>(async (context, [file], options) => {
        const plan = await planOf(context, await bodyOf(file, options))
        await printItem(plan, context.form, context.out, (each) => formatConfigPlan(each, context.out.style))
        if (hasProblems(plan)) throw new Exit(exitCode.planFailed)
        if (plan.nodes.some(({ changes }) => changes.length > 0)) throw new Exit(exitCode.changes)
      }),
    )
  sourceOptions(config.command('apply'))
    .summary('bring a document to the nodes, batch by batch; what does a node no good is undone there')
    .description('Shows the plan, asks, and makes a version of it. Ctrl-C stops the watching, not the rollout.')
    .option('--force', 'over a version that is on its way')
    .option('-d, --detach', 'do not wait')
    .action(action<ApplyOptions>((context, [file], options) => apply(context, file, options)))
  registerLooks(config)
  registerRollback(config)
}

const sourceOptions = (command: Command): Command =>
  command
    .argument('[file]', `the document here (default: ${documentName}, else the repository of the version before)`)
    .option('--repository <url>', 'the server reads it from this git repository')
    .option('--ref <ref>', 'branch, tag or commit there')
    .option('--path <path>', `of the document there (default: ${documentName})`)

function registerLooks(config: Command): void {
  config
    .command('status')
    .summary('which version each node has, and what has drifted')
    .action(
      action(async (context) => {
        const { client, signal, form, out } = context
        const status = await client.call('getNodeConfig', {}, { signal })
        await printItem(status, form, out, (each) => statusText(each, context))
      }),
    )
  config
    .command('show')
    .summary('the document of a version, as it is kept')
    .argument('[version]', 'default: the newest')
    .action(
      action(async ({ client, signal, form, out }, [version]) => {
        const wanted = version ?? String((await client.call('getNodeConfig', {}, { signal })).current?.version ?? 0)
        const found = await client.call('getNodeConfigVersion', { params: { version: wanted } }, { signal })
        const yaml = await out.yaml()
        await printItem(
          found,
          form,
          out,
          (each) => `# version ${each.version}, ${describe(each)}\n${yaml(each.spec).trimEnd()}`,
        )
      }),
    )
  config
    .command('history')
    .summary('versions, the newest first')
    .action(
      action(async ({ client, signal, form, out }) => {
        const { items } = await client.list('listNodeConfigVersions', { query: {} }, { signal })
        await printListing(items, versions, form, out)
      }),
    )
}

function registerRollback(config: Command): void {
  config
    .command('rollback')
    .summary('bring an earlier version to the nodes again; over one that is on its way as well')
    .option('--to <version>', 'which (default: the last one that came to all nodes); 0 gives everything back')
    .option('-d, --detach', 'do not wait')
    .action(
      action<{ to?: string; detach?: boolean }>(async (context, _, { to, detach }) => {
        const { client, signal, confirm } = context
        if (to !== undefined && !/^v?\d{1,9}$/.test(to))
          throw new BerthError(
            'usage.version',
            `--to ${to}: write the number of a version; see: berth node config history`,
          )
        const what = to === undefined ? 'the version before' : to === '0' ? 'nothing at all' : `version ${to}`
        await confirm(`Bring ${what} of the node configuration to the nodes?`)
        const body = to === undefined ? {} : { to: Number(to.replace('v', '')) }
        await watch(context, await client.call('rollbackNodeConfig', { body }, { signal }), detach)
      }),
    )
  config
    .command('stop')
    .summary('begin with no further node; those that have begun go on to their end')
    .action(
      action(async ({ client, signal, out }) => {
        const { version } = await client.call('stopNodeConfig', {}, { signal })
        out.note(`version ${version} goes to no further node`)
      }),
    )
}

async function apply(context: CommandContext, file: string | undefined, options: ApplyOptions): Promise<void> {
  const { client, signal, out, confirm, form } = context
  const source = await bodyOf(file, options)
  const plan = await planOf(context, source)
  if (form === 'table' || form === 'wide') out.note(formatConfigPlan(plan, out.style))
  if (hasProblems(plan))
    throw new BerthError(
      'configuration.cannot',
      'apply the node configuration: it cannot be done on every node; nothing was changed',
      {
        details: { nodes: plan.nodes.filter(({ problems }) => problems.length > 0).map(({ node }) => node) },
      },
    )
  await confirm(`Bring version ${plan.version} to ${plan.nodes.length} ${plan.nodes.length === 1 ? 'node' : 'nodes'}?`)
  // The commit that was shown, whatever has come to the branch since.
  const shown = plan.source.commit === undefined ? source : { ...source, ref: plan.source.commit }
  const body = { ...shown, force: options.force === true }
  await watch(context, await client.call('applyNodeConfig', { body }, { signal }), options.detach)
}

const planOf = (
  { client, signal }: CommandContext,
  body: Awaited<ReturnType<typeof bodyOf>>,
): Promise<ConfigPlanView> => client.call('planNodeConfig', { body }, { signal })

const hasProblems = ({ nodes }: ConfigPlanView): boolean => nodes.some(({ problems }) => problems.length > 0)

/** The document here with the files that it names, or where the server finds it. */
async function bodyOf(file: string | undefined, { repository, ref, path }: SourceOptions) {
  if (file !== undefined && repository !== undefined)
    throw new BerthError('usage.source', 'name a file here, or a --repository, not both')
  const here = file ?? documentName
  const isHere = repository === undefined && ref === undefined && path === undefined && existsSync(here)
  if (file === undefined && !isHere)
    return { ...(repository && { repository }), ...(ref && { ref }), ...(path && { path }) }
  const document = existsSync(here) && statSync(here).isDirectory() ? join(here, documentName) : here
  const { parseNodeConfig } = await import('@berth/api/node-config/index')
  const { formatProblems } = await import('@berth/api/spec/index')
  const text = readText(document, 'docs/guides/node-configuration.md has an example')
  const { needs } = parseNodeConfig(text, undefined)
  const folder = dirname(resolve(document))
  const beside = needs
    .filter((need) => existsSync(join(folder, need)))
    .map((need) => [need, readText(join(folder, need))])
  const files = Object.fromEntries(beside) as Record<string, string>
  const { problems } = parseNodeConfig(text, files)
  if (problems.length > 0)
    throw new BerthError(
      'configuration.invalid',
      `${document} has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${formatProblems(problems, document, text)}`,
      { details: { problems } },
    )
  return { text, files, path: document }
}

/** Says what becomes of each node until the rollout has ended. */
async function watch(context: CommandContext, begun: ConfigVersionView, detach: boolean | undefined): Promise<void> {
  const { client, signal, out, form } = context
  const told = new Map<string, string>()
  for (;;) {
    const { nodes, current = begun } = await client.call('getNodeConfig', {}, { signal })
    if (detach !== true)
      for (const { node, config } of nodes) {
        const line = `${config.state}${config.why === undefined ? '' : `: ${config.why}`}`
        if (config.state === 'waiting' || told.get(node) === line) continue
        told.set(node, line)
        out.note(`${node}  ${line}`)
        for (const each of config.output ?? []) out.note(`    ${each}`)
      }
    const isOver = current.version !== begun.version || (current.state !== 'running' && current.state !== 'undoing')
    if (isOver || detach === true) {
      const ended = current.version === begun.version ? current : begun
      await printItem(ended, form, out, ({ version, state, message }) => `version ${version}: ${state}, ${message}`)
      if (detach !== true && ended.state !== 'done') throw new Exit(exitCode.failed)
      return
    }
    await delay(lookMs, undefined, { signal })
  }
}

function statusText({ current, nodes }: NodeConfigStatusView, { out: { style } }: CommandContext): string {
  if (current === undefined) return 'there is no node configuration yet; see: berth node config plan --help'
  const lines = [`version ${current.version}: ${current.state}, ${current.message} (${describe(current)})`]
  for (const { node, online, config } of nodes) {
    const { version, wanted, state, why, drift } = config
    const differs = version === wanted ? '' : `, is to have ${wanted}`
    lines.push(
      `  ${node}${online ? '' : ' (offline)'}: version ${version}${differs}, ${state}${why === undefined ? '' : `: ${why}`}`,
    )
    for (const change of drift) lines.push(...changeLines(change, style).map((line) => `    drift  ${line}`))
    for (const line of config.output ?? []) lines.push(`    ${line}`)
  }
  return lines.join('\n')
}

function describe({ source, createdBy, createdAt }: ConfigVersionView): string {
  const { repository, commit = '', path, rollbackTo } = source
  const from = repository === undefined ? path : `${path} at ${commit.slice(0, 12)} of ${repository}`
  const what = rollbackTo === undefined ? from : rollbackTo === 0 ? 'nothing' : `version ${rollbackTo} again`
  return `${what}, by ${createdBy} at ${new Date(createdAt).toISOString()}`
}

const versions: ListingView<ConfigVersionView> = {
  headers: ['version', 'state', 'from', 'commit', 'by', 'age', 'message'],
  row: ({ version, state, source, createdBy, createdAt, message }) => [
    String(version),
    state,
    source.rollbackTo === undefined ? (source.repository ?? source.path) : `version ${source.rollbackTo}`,
    source.commit?.slice(0, 12) ?? '-',
    createdBy,
    formatAge(Date.now() - createdAt),
    message,
  ],
  name: ({ version }) => String(version),
  empty: 'there is no node configuration yet; see: berth node config plan --help',
}
