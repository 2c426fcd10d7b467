import type { ProfileView } from '@berth/api'
import { BerthError, type Profile } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand } from './named-commands.ts'
import { planBefore } from './net-plan.ts'
import { showCounters } from './profile-counters.ts'
import { readProfileFile } from './read-profile-file.ts'
import { plural } from './words.ts'

interface ApplyOptions {
  readonly ifVersion?: string
  readonly plan?: boolean
}

export function registerProfiles(program: Command): void {
  const profile = program.command('profile').alias('profiles').summary('security profiles: who may talk to whom')
  listCommand(
    profile,
    'listProfiles',
    'profiles with the tags that they give and how many instances have them',
    () => listing,
  )
  profile
    .command('show')
    .argument('<profile>')
    .summary('its tags and rules, as `apply` takes them')
    .option('--counters', 'how many packets each rule has decided instead; the nodes are asked (`-o wide`: by node)')
    .action(
      action<{ counters?: boolean }>(async (context, [name = ''], { counters = false }) => {
        if (counters) return await showCounters(context, name)
        const found = await context.client.call('getProfile', { params: { name } }, { signal: context.signal })
        await printItem(found, context.form, context.out, profileText)
        sayWarnings(found, context)
      }),
    )
  profile
    .command('apply')
    .argument('<file...>')
    .summary('make or change profiles; each file holds one, in YAML or as Calico’s JSON')
    .option('--if-version <version>', 'only if it still has this version; 0: only if there is none')
    .option('--no-plan', 'do not look first which connections that there are would be cut')
    .action(action<ApplyOptions>((context, files, options) => apply(context, files, options)))
  profile
    .command('rm')
    .argument('<profile>')
    .summary('remove a profile that no entrypoint names')
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        const { instances } = await client.call('getProfile', { params: { name } }, { signal })
        await confirm(
          `Remove profile ${name}${instances > 0 ? `, which ${plural(instances, 'instance')} ${instances === 1 ? 'has' : 'have'}` : ''}?`,
        )
        await client.call('removeProfile', { params: { name }, query: {} }, { signal })
        out.note(`profile ${name} is removed`)
      }),
    )
}

/** All of them are read before the first is sent. */
async function apply(
  context: CommandContext,
  files: readonly string[],
  { ifVersion, plan = true }: ApplyOptions,
): Promise<void> {
  const { client, out, form, signal } = context
  const { profileDocument } = await import('@berth/core')
  const version = versionOf(ifVersion, files)
  const profiles: Profile[] = []
  for (const file of files) profiles.push(await readProfileFile(file))
  if (plan) await planBefore(context, profiles)
  const applied: ProfileView[] = []
  for (const each of profiles) {
    const call = { params: { name: each.name }, query: version, body: { ...profileDocument(each) } }
    applied.push(await client.call('putProfile', call, { signal }))
  }
  await printListing(applied, listing, form, out)
  for (const each of applied) sayWarnings(await asOfNow(context, each, applied.length), context)
}

/** What one of several names may have come with another one behind it. */
async function asOfNow({ client, signal }: CommandContext, view: ProfileView, count: number): Promise<ProfileView> {
  if (view.warnings.length === 0 || count === 1) return view
  return await client.call('getProfile', { params: { name: view.name } }, { signal })
}

function versionOf(text: string | undefined, files: readonly string[]): { version?: number } {
  if (text === undefined) return {}
  if (!/^[0-9]{1,9}$/.test(text) || files.length > 1)
    throw new BerthError(
      'usage.version',
      `--if-version ${text}: write the version of one profile; see: berth profile ls`,
    )
  return { version: Number(text) }
}

function sayWarnings({ name, warnings }: ProfileView, { out }: CommandContext): void {
  for (const { path, message, suggestion } of warnings)
    out.note(`warning: profile ${name}, ${path}: ${message}${suggestion === undefined ? '' : `; ${suggestion}`}`)
}

/** YAML that is read again as the same profile: names and words of rules hold nothing that would need more than quotes. */
export function profileText({
  name,
  tags,
  inbound,
  outbound,
  version,
  updatedAt,
  updatedBy,
  instances,
}: ProfileView): string {
  const list = (rules: readonly string[]): string =>
    rules.length === 0
      ? ' []'
      : rules.map((rule) => `\n  - ${rule.startsWith('{') ? rule : JSON.stringify(rule)}`).join('')
  return [
    `# version ${version}, by ${updatedBy} at ${new Date(updatedAt).toISOString()}; ${instances} instances have it`,
    `name: ${JSON.stringify(name)}`,
    `tags: ${JSON.stringify(tags)}`,
    `inbound:${list(inbound)}`,
    `outbound:${list(outbound)}`,
  ].join('\n')
}

const listing: ListingView<ProfileView> = {
  headers: ['profile', 'tags', 'rules in', 'rules out', 'instances', 'version', 'age'],
  row: ({ name, tags, inbound, outbound, instances, version, updatedAt }) => [
    name,
    tags.join(',') || '-',
    String(inbound.length),
    String(outbound.length),
    String(instances),
    String(version),
    formatAge(Date.now() - updatedAt),
  ],
  wideHeaders: ['by', 'warnings'],
  wideRow: ({ updatedBy, warnings }) => [updatedBy, String(warnings.length)],
  name: ({ name }) => name,
  empty: 'no profiles: every instance reaches every other; see: berth profile apply --help',
}
