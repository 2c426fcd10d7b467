import type {
  AppView,
  BuildView,
  EventView,
  ExternalImagesView,
  InstanceView,
  RegistryImageView,
  ReleaseView,
  RolloutView,
  RouteView,
} from '@berth/api'
import { BerthError, eventTypes, refName, shortCommit } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { followBuild } from '../follow.ts'
import { followChanges } from '../follow-changes.ts'
import { formatSeconds } from '../instance-lines.ts'
import { formatAge, formatBytes, shortImage } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { defaultPool, findInstance, type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { action } from './command.ts'
import { wholeNumber } from './words.ts'

export function registerListings(program: Command): void {
  registerApps(program)
  registerReleases(program)
  registerRollouts(program)
  registerBuilds(program)
  registerEvents(program)
  registerRoutes(program)
  registerInspect(program)
}

function registerApps(program: Command): void {
  program
    .command('apps')
    .alias('ls')
    .summary('apps and their environments')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.list('listApps', {}, { signal })
        await printListing(items, appListing(Date.now()), form, out)
      }),
    )
}

const appListing = (now: number): ListingView<AppView> => ({
  headers: ['app', 'environments', 'release', 'ready', 'url', 'age'],
  row: (each) => [
    each.name,
    each.pools.map((pool) => pool.name).join(',') || '-',
    each.pools.find((pool) => pool.name === defaultPool)?.release ??
      each.pools[0]?.release ??
      each.latestRelease ??
      '-',
    readyOf(each),
    each.pools.flatMap((pool) => pool.urls)[0] ?? '-',
    formatAge(now - each.createdAt),
  ],
  wideHeaders: ['repository', 'by'],
  wideRow: (each) => [each.repository ?? '-', each.createdBy],
  name: (each) => each.name,
  empty: 'no apps yet; go into a repository and run `berth init`, then `berth deploy`',
})

function readyOf(app: AppView): string {
  const services = app.pools.flatMap((pool) => pool.entrypoints).filter((each) => each.type === 'service')
  const sum = (pick: (each: (typeof services)[number]) => number) =>
    services.reduce((total, each) => total + pick(each), 0)
  return `${sum((each) => each.ready)}/${sum((each) => each.wanted)}`
}

function registerReleases(program: Command): void {
  program
    .command('releases')
    .alias('versions')
    .summary('releases of an app')
    .argument('[app]', 'left out: the app of the berth.yaml here')
    .option(
      '--registry',
      "images in the cluster's own registry, also those whose releases are not kept any more, and tags in the registry that the app's image comes from",
    )
    .action(
      action<{ registry?: boolean }>(async (context, [text], { registry = false }) => {
        const { client, out, form, signal } = context
        const { app } = parseTarget(text, context)
        if (registry) {
          const images = await client.call('getRegistryImages', { params: { app } }, { signal })
          const external = await externalImages(context, app)
          await printListing([...images.items, ...external], registryImageListing(Date.now()), form, out)
          return
        }
        const { items } = await client.list('listReleases', { params: { app } }, { signal })
        await printListing(items, releaseListing(Date.now()), form, out)
      }),
    )
}

/** A tag in the registry that the app's image comes from. */
type ExternalImage = ExternalImagesView['items'][number] & { readonly image: string }

const mostPages = 200

/** All of them; none where no release is of such an image. */
async function externalImages({ client, out, signal }: CommandContext, app: string): Promise<ExternalImage[]> {
  const images: ExternalImage[] = []
  let last: string | undefined
  for (let pages = 0; pages < mostPages; pages++) {
    const page = await client
      .call('getExternalImages', { params: { app }, query: last === undefined ? {} : { last } }, { signal })
      .catch((error) => {
        if (!(error instanceof BerthError) || signal.aborted) throw error
        // What the cluster's own registry has is told all the same.
        if (error.code !== 'registry.no-image') out.note(error.message)
        return undefined
      })
    if (page === undefined) return images
    const { host, repository } = page
    images.push(...page.items.map((each) => ({ ...each, image: `${host}/${repository}:${each.tag}` })))
    if (page.next === undefined || page.next === last) return images
    last = page.next
  }
  return images
}

const registryImageListing = (now: number): ListingView<RegistryImageView | ExternalImage> => ({
  headers: ['image', 'releases', 'commit', 'pushed', 'built', 'size'],
  row: (each) => {
    if ('tag' in each) return [each.image, each.releases.join(',') || 'none', '-', '-', '-', '-']
    return ownRow(each, now)
  },
  wideHeaders: ['id'],
  wideRow: (each) => ['tag' in each ? (each.digest ?? '-') : each.image],
  name: (each) => each.image,
  empty: 'no registry has an image of it yet',
})

const ownRow = (each: RegistryImageView, now: number): string[] => [
  shortImage(each.image),
  each.releases.join(',') || 'none kept',
  shortCommit(each.commit ?? '-'),
  formatAge(now - each.pushedAt),
  each.builtAt === undefined ? '-' : formatAge(now - each.builtAt),
  each.bytes === undefined ? '-' : formatBytes(each.bytes),
]

const releaseListing = (now: number): ListingView<ReleaseView> => ({
  headers: ['release', 'commit', 'tests', 'runs in', 'age', 'author', 'subject'],
  row: (each) => [
    each.id,
    shortCommit(each.commit ?? '-'),
    testsText(each),
    each.runningIn.join(',') || '-',
    formatAge(now - each.createdAt),
    each.author?.replace(/ <.*/, '') ?? each.createdBy,
    each.subject ?? '',
  ],
  wideHeaders: ['image', 'build', 'by', 'served in'],
  wideRow: (each) => [
    shortImage(each.image),
    each.build ?? '-',
    each.createdBy,
    each.served.map(({ pool }) => pool).join(',') || '-',
  ],
  name: (each) => each.id,
  empty: 'no releases yet; `berth deploy` makes the first',
})

function testsText({ tests }: ReleaseView): string {
  if (tests === undefined) return '-'
  const failed = tests.runs.find(({ state }) => state === 'failed')
  return failed === undefined
    ? `${tests.state}${tests.of === undefined ? '' : ` (${tests.of})`}`
    : `failed: ${failed.entrypoint}`
}

const registerRollouts = (program: Command): void => listRollouts(program.command('rollouts'))

/** `rollouts`, and `rollout ls`. */
export function listRollouts(command: Command): void {
  command
    .summary('rollouts, newest first')
    .argument('[app]', 'only of this app')
    .option('-n, --limit <count>', 'at most this many', wholeNumber, '20')
    .action(
      action<{ limit: string }>(async (context, [app], { limit }) => {
        const { client, out, form, signal } = context
        const { items } = await client.list('listRollouts', { query: { app, limit } }, { signal })
        if (items.length === 0 && app !== undefined) await requireTarget(context, { app })
        await printListing(items, rolloutListing(out.style, Date.now()), form, out)
        if (form === 'table') for (const line of whyNotServed(items)) out.note(line)
      }),
    )
}

const rolloutListing = (style: Style, now: number): ListingView<RolloutView> => ({
  headers: ['rollout', 'app', 'environment', 'reason', 'from', 'to', 'state', 'took', 'age', 'by'],
  row: (each) => [
    each.id,
    each.app,
    each.pool,
    each.reason,
    each.from ?? '-',
    each.to,
    rolloutState(each, style),
    formatSeconds((each.endedAt ?? now) - each.createdAt),
    formatAge(now - each.createdAt),
    each.createdBy,
  ],
  wideHeaders: ['message'],
  wideRow: (each) => [each.message],
  name: (each) => each.id,
  empty: 'no rollouts yet',
})

/** Why a release does not serve, which has no room in a column. */
export const whyNotServed = (rollouts: readonly RolloutView[]): string[] =>
  rollouts
    .filter(({ state }) => state !== 'succeeded' && state !== 'running')
    .map(({ id, to, message }) => `${id} (${to}): ${message}`)

function rolloutState({ state }: RolloutView, style: Style): string {
  if (state === 'succeeded') return style.green(state)
  return state === 'running' || state === 'paused' || state === 'rolling-back' ? style.yellow(state) : style.red(state)
}

function registerBuilds(program: Command): void {
  program
    .command('builds')
    .summary('builds, newest first, or one with its output')
    .argument('[id]', 'show this build')
    .option('--app <app>', 'only of this app')
    .option('-f, --follow', 'follow the output of the build')
    .option('--cancel', 'cancel the build')
    .option('-n, --limit <count>', 'at most this many', wholeNumber, '20')
    .action(
      action<{ app?: string; follow?: boolean; cancel?: boolean; limit: string }>(async (context, [id], options) => {
        const { client, out, form, signal } = context
        if (id === undefined) {
          const { items } = await client.list(
            'listBuilds',
            { query: { app: options.app, limit: options.limit } },
            { signal },
          )
          if (items.length === 0 && options.app !== undefined) await requireTarget(context, { app: options.app })
          return printListing(items, buildListing(out.style, Date.now()), form, out)
        }
        const params = { id }
        if (options.cancel === true) await client.call('cancelBuild', { params }, { signal })
        if (options.follow === true) await followBuild(context, id)
        const build = await client.call('getBuild', { params }, { signal })
        await printItem(
          build,
          form,
          out,
          (each) =>
            `${each.id} ${each.app} ${each.ref} ${each.state}${each.error === undefined ? '' : `: ${each.error.message}`}`,
        )
        if (form !== 'table' || options.follow === true) return
        for await (const line of client.lines('getBuildOutput', { params }, { signal })) out.line(`  ${line.line}`)
      }),
    )
}

const buildListing = (style: Style, now: number): ListingView<BuildView> => ({
  headers: ['build', 'app', 'ref', 'commit', 'state', 'release', 'took', 'age', 'by'],
  row: (each) => [
    each.id,
    each.app,
    each.trigger === undefined ? shortCommit(each.ref) : refName(each.trigger.ref),
    shortCommit(each.commit ?? '-'),
    each.state === 'succeeded'
      ? style.green(each.reused === true ? 'reused' : 'succeeded')
      : each.state === 'failed'
        ? style.red('failed')
        : waitingText(each),
    each.release ?? '-',
    each.startedAt === undefined ? '-' : formatSeconds((each.endedAt ?? now) - each.startedAt),
    formatAge(now - each.createdAt),
    each.createdBy,
  ],
  name: (each) => each.id,
  empty: 'no builds yet',
})

/** `queued (2 before it)`, `testing` */
function waitingText({ state, ahead, testsSince, error }: BuildView): string {
  if (state === 'queued' && ahead !== undefined && ahead > 0) return `queued (${ahead} before it)`
  if (state === 'running' && testsSince !== undefined) return 'testing'
  return error?.code === 'build.superseded' ? 'superseded' : state
}

function registerEvents(program: Command): void {
  program
    .command('events')
    .summary('what happened, and by whom')
    .argument('[app]', 'only of this app')
    .option('-f, --follow', 'go on as things happen')
    .option('-n, --limit <count>', 'the last so many', wholeNumber, '30')
    .option('--types', 'the types of events that there are, and what each says')
    .action(
      action<{ follow?: boolean; limit: string; types?: boolean }>(async (context, [app], options) => {
        const { client, out, form, signal } = context
        if (options.types === true) return await printListing(knownEvents, eventTypeListing, form, out)
        const { items, revision } = await client.list(
          'listEvents',
          { query: { app, limit: options.limit } },
          { signal },
        )
        if (items.length === 0 && app !== undefined) await requireTarget(context, { app })
        await printListing(items.toReversed(), eventListing, form, out)
        if (options.follow !== true) return
        try {
          const changes = followChanges(context, 'the listing', 'listEvents', { query: { app }, revision })
          for await (const event of changes) {
            if (event.type !== 'put') continue
            out.line(form === 'json' ? JSON.stringify(event.item) : eventListing.row(event.item).join('  '))
          }
        } catch (error) {
          if (!signal.aborted) throw error
        }
      }),
    )
}

const knownEvents = Object.entries(eventTypes).map(([type, says]) => ({ type, says }))

const eventTypeListing: ListingView<(typeof knownEvents)[number]> = {
  headers: ['type', 'says that'],
  row: ({ type, says }) => [type, says],
  name: ({ type }) => type,
  empty: 'there are none',
}

const eventListing: ListingView<EventView> = {
  headers: ['time', 'type', 'by', 'message'],
  row: (each) => [new Date(each.at).toISOString().slice(0, 19).replace('T', ' '), each.type, each.actor, each.message],
  name: (each) => each.id,
  empty: 'nothing has happened yet',
}

function registerRoutes(program: Command): void {
  program.command('routes').summary('routes of the gateway and who serves them').action(listRoutes)
}

/** `berth routes`, and `berth route ls` for those who look for it there. */
export const listRoutes = action(async ({ client, out, form, signal }) => {
  const { items } = await client.list('listRoutes', {}, { signal })
  await printListing(items, routeListing, form, out)
})

const routeListing: ListingView<RouteView> = {
  headers: ['url', 'app', 'environment', 'entrypoint', 'members', 'draining', ''],
  row: (each) => [
    each.url,
    each.external === undefined ? each.app : `external ${each.external}`,
    each.pool || '-',
    each.entrypoint || '-',
    String(each.members.filter((member) => member.state === 'active').length),
    String(each.members.filter((member) => member.state === 'draining').length),
    each.maintenance === true ? 'maintenance' : '',
  ],
  wideHeaders: ['addresses'],
  wideRow: (each) => [each.members.map((member) => `${member.address}:${member.port}`).join(' ')],
  name: (each) => each.url,
  empty: 'no routes; give an app some under `routes:` in its berth.yaml',
}

function registerInspect(program: Command): void {
  program
    .command('inspect')
    .summary('everything about an app, a release, an instance, a rollout or a build')
    .argument('<target>', 'APP, APP@RELEASE, an instance (web-4, APP/web-4), or the id of a rollout or a build')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = ''], options) => {
        const { client, out, form, signal } = context
        const show = (item: unknown) => printItem(item, form, out, inspectText)
        const release = /^([^/@]+)@(v\d+)$/.exec(text)
        if (release !== null)
          return show(
            await client.call(
              'getRelease',
              { params: { app: release[1] ?? '', release: release[2] ?? '' } },
              { signal },
            ),
          )
        const params = { id: text }
        if (/^r-[a-z0-9]{8}$/.test(text)) return show(await client.call('getRollout', { params }, { signal }))
        if (/^b-[a-z0-9]{8}$/.test(text)) return show(await client.call('getBuild', { params }, { signal }))
        const apps = await client.list('listApps', {}, { signal })
        const app = apps.items.find((each) => each.name === text)
        return show(app ?? (await withTraffic(context, await findInstance(context, text, options))))
      }),
    )
}

/** What came over its network so far, where it runs and its node tells. */
async function withTraffic({ client, signal }: CommandContext, instance: InstanceView): Promise<unknown> {
  if (instance.phase === 'ended') return instance
  // Counts without samples.
  const query = { instance: instance.id, sinceMs: String(Number.MAX_SAFE_INTEGER) }
  const { items } = await client.call('getMetrics', { query }, { signal })
  const traffic = items[0]?.traffic
  return traffic === undefined ? instance : { ...instance, traffic }
}

/** Every field, its times as people read them; `-o json` has them as programs do. */
export const inspectText = (item: unknown): string => JSON.stringify(item, asRead, 2)

const isTime = /^(at|since)$|(At|Since)$/

const asRead = (key: string, value: unknown): unknown =>
  typeof value === 'number' && isTime.test(key) && value > 1e12 && value < 8.64e15
    ? new Date(value).toISOString()
    : value
