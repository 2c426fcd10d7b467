import type { PipelineView } from '@berth/api'
import { BerthError, formatDuration, type PipelineDocument, parseDuration, refName, shortCommit } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatAge } from '../output/format.ts'
import { printItem } from '../output/print.ts'
import { parseTarget } from '../target.ts'
import { action } from './command.ts'

interface SetOptions {
  readonly branch?: readonly string[]
  readonly tag?: readonly string[]
  readonly deploy?: string
  readonly environments?: string
  readonly auto?: readonly string[]
  readonly poll?: string
  readonly ifVersion?: string
}

/** How commits of an app become what runs. */
export function registerPipeline(program: Command): void {
  const pipeline = program.command('pipeline').summary('what a push builds, where it goes, and how it is promoted')
  registerSet(pipeline)
  of(pipeline.command('show').summary('what is set, and what was seen of the repository'), async (context, app) => {
    const { client, out, form, signal } = context
    const view = await client.call('getPipeline', { params: { app } }, { signal })
    await printItem(view, form, out, (each) => pipelineText(each, Date.now()))
  })
  of(
    pipeline.command('webhook').summary('a new secret for webhooks of GitHub, GitLab or Gitea; it is shown once'),
    async ({ client, out, form, signal, confirm }, app) => {
      const before = await client.call('getPipeline', { params: { app } }, { signal })
      if (before.webhook !== undefined)
        await confirm(
          `Make a new secret for webhooks of ${app}? What is signed with the one before is refused from then on.`,
        )
      const made = await client.call('createWebhookSecret', { params: { app } }, { signal })
      await printItem(made, form, out, ({ path, secret }) => `path    ${path}\nsecret  ${secret}`)
      out.note(
        `give the forge the server's address with this path, the secret, JSON, and pushes; it is not shown again`,
      )
    },
  )
  of(
    pipeline.command('look').summary('ask the repository now what was pushed, and build it'),
    async ({ client, out, form, signal }, app) => {
      const found = await client.call('lookAtPipeline', { params: { app }, body: {} }, { signal })
      await printItem(found, form, out, ({ builds }) =>
        builds.length === 0
          ? `nothing was pushed since the last look that ${app} builds`
          : builds
              .map((each) => `${each.id} builds ${shortCommit(each.ref)} of ${refName(each.trigger?.ref ?? each.ref)}`)
              .join('\n'),
      )
    },
  )
  of(
    pipeline.command('rm').summary('forget it: pushes build nothing any more, and webhooks are refused'),
    async ({ client, out, signal, confirm }, app) => {
      await client.call('getPipeline', { params: { app } }, { signal })
      await confirm(`Forget the pipeline of ${app}, with the secret of its webhooks?`)
      await client.call('removePipeline', { params: { app } }, { signal })
      out.note(`pushes to ${app} build nothing by themselves from now on`)
    },
  )
}

function of(command: Command, work: (context: CommandContext, app: string) => Promise<void>): void {
  command
    .argument('[app]', 'left out: the app of the berth.yaml here')
    .action(action(async (context, [text]) => work(context, parseTarget(text, context).app)))
}

function registerSet(pipeline: Command): void {
  pipeline
    .command('set')
    .argument('[app]', 'left out: the app of the berth.yaml here')
    .summary('make or change it; what is not said is not there')
    .option('--branch <pattern...>', 'build pushes of these branches: main, release/*')
    .option('--tag <pattern...>', 'and these tags: v*')
    .option('--deploy <environment>', 'roll out there what a push has made')
    .option('--environments <list>', 'promote one image through these, in order: test,staging,production')
    .option('--auto <environment...>', 'those of them that get by themselves what has succeeded in the one before')
    .option('--poll <interval>', 'ask the repository this often, such as 5m, beside or instead of webhooks')
    .option('--if-version <version>', 'only if it still has this version; 0: only if there is none')
    .action(
      action<SetOptions>(async (context, [text], options) => {
        const { client, out, form, signal } = context
        const { app } = parseTarget(text, context)
        const call = { params: { app }, query: versionOf(options.ifVersion), body: documentOf(options) }
        const set = await client.call('setPipeline', call, { signal })
        await printItem(set, form, out, (each) => pipelineText(each, Date.now()))
        if (set.branches.length + set.tags.length > 0 && set.webhook === undefined && set.pollMs === undefined)
          out.note(`nobody tells of pushes yet: make a webhook (berth pipeline webhook ${app}), or ask with --poll 5m`)
      }),
    )
}

type Body = {
  -readonly [K in keyof PipelineDocument]: PipelineDocument[K] extends readonly string[] | undefined
    ? string[]
    : PipelineDocument[K]
}

/** What was typed, as the server takes it. */
export function documentOf({ branch, tag, deploy, environments, auto, poll }: SetOptions): Partial<Body> {
  return {
    ...(branch === undefined ? {} : { branches: [...branch] }),
    ...(tag === undefined ? {} : { tags: [...tag] }),
    ...(deploy === undefined ? {} : { deploy }),
    ...(environments === undefined ? {} : { environments: environments.split(',').map((each) => each.trim()) }),
    ...(auto === undefined ? {} : { automatic: [...auto] }),
    ...(poll === undefined ? {} : { pollMs: durationOf(poll) }),
  }
}

function durationOf(text: string): number {
  const read = parseDuration(text)
  if (read.ok) return read.value
  throw new BerthError('usage.value', `--poll ${text}: ${read.message}`)
}

function versionOf(text: string | undefined): { version?: number } {
  if (text === undefined) return {}
  if (!/^[0-9]{1,9}$/.test(text))
    throw new BerthError('usage.version', `--if-version ${text}: write its version; see: berth pipeline show`)
  return { version: Number(text) }
}

export function pipelineText(view: PipelineView, now: number): string {
  const { branches, tags, deploy, environments, automatic, pollMs, webhook, seen = {}, seenAt, version } = view
  const chain = environments.map((name) => (automatic.includes(name) ? `${name} (by itself)` : name))
  const rows = [
    ['app', view.app],
    ['branches', branches.join(' ') || '-'],
    ['tags', tags.join(' ') || '-'],
    ['deploy', deploy ?? 'nothing by itself'],
    ['promote', chain.join(' → ') || '-'],
    ['webhook', webhook ?? `none; see: berth pipeline webhook ${view.app}`],
    ['poll', pollMs === undefined ? 'never' : `every ${formatDuration(pollMs)}`],
    ['version', String(version)],
    ...(seenAt === undefined ? [] : [['moved', `${formatAge(now - seenAt)} ago`]]),
    ...Object.entries(seen)
      .slice(0, maxSeen)
      .map(([ref, commit]) => ['seen', `${refName(ref)} ${shortCommit(commit)}`]),
  ]
  return rows.map(([key = '', value]) => `${key.padEnd(8)} ${value}`).join('\n')
}

const maxSeen = 20
