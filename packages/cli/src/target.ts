import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { InstanceView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'

export const defaultPool = 'production'

/** `shop`, `shop/web`, `shop@staging`, `shop/web@staging`; nothing means the app of the berth.yaml around the working directory. */
export interface Target {
  readonly app: string
  readonly entrypoint?: string
  readonly pool: string
}

export interface PoolOption {
  readonly environment?: string
}

export function parseTarget(text: string | undefined, context: CommandContext, options: PoolOption = {}): Target {
  const fallback = options.environment ?? process.env.BERTH_ENVIRONMENT_NAME ?? context.context.pool ?? defaultPool
  if (text === undefined) return { app: requireLocalApp().app, pool: fallback }
  const match = /^([^/@]+)(?:\/([^/@]+))?(?:@([^/@]+))?$/.exec(text)
  if (match === null)
    throw new BerthError(
      'usage.target',
      `"${text}" is no target; write APP, APP/ENTRYPOINT or APP/ENTRYPOINT@ENVIRONMENT`,
    )
  const [, app = '', entrypoint, pool] = match
  return { app, pool: pool ?? fallback, ...(entrypoint === undefined ? {} : { entrypoint }) }
}

export interface LocalApp {
  readonly app: string
  readonly file: string
  readonly dir: string
}

/** The nearest berth.yaml upwards. Only its `app:` line is read here: the server reads the rest from the commit. */
export function findLocalApp(from = process.cwd()): LocalApp | undefined {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    const file = join(dir, 'berth.yaml')
    try {
      const app = /^app:\s*["']?([a-z0-9-]+)["']?\s*(?:#.*)?$/m.exec(readFileSync(file, 'utf8'))?.[1]
      if (app !== undefined) return { app, file, dir }
      throw new BerthError('usage.no-app', `${file} has no line \`app: NAME\`; run berth validate`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    if (dir === dirname(dir)) return undefined
  }
}

export function requireLocalApp(): LocalApp {
  const local = findLocalApp()
  if (local !== undefined) return local
  throw new BerthError('usage.no-app', 'no berth.yaml here or above; name the app, or write one with `berth init`')
}

/** An instance by its id, by `web-4` in the target's app, or by a prefix that only one has. */
export async function findInstance(
  context: CommandContext,
  text: string,
  options: PoolOption = {},
): Promise<InstanceView> {
  const found = await candidatesOf(context, text, options)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const ids = found.slice(0, 8).map((each) => each.id)
  throw new BerthError(
    'instance.ambiguous',
    `${text} could be ${ids.join(', ')}${found.length > ids.length ? ', …' : ''}; say more of it`,
  )
}

/** As {@link findInstance}; where an entrypoint is named (`shop/web`), any of its instances, a ready one first. */
export async function findAnyInstance(
  context: CommandContext,
  text: string,
  options: PoolOption = {},
): Promise<InstanceView & { readonly chosen: boolean }> {
  const found = (await candidatesOf(context, text, options)).filter((each) => each.phase !== 'ended')
  const entrypoints = new Set(found.map((each) => `${each.app}/${each.entrypoint}@${each.pool}`))
  const best = found.find((each) => each.ready) ?? found[0]
  if (best !== undefined && entrypoints.size === 1) return { ...best, chosen: found.length > 1 }
  return { ...(await findInstance(context, text, options)), chosen: false }
}

/** At least one. What runs hides what has ended, and the app of the berth.yaml here hides others that fit as well. */
async function candidatesOf(
  { client, signal }: CommandContext,
  text: string,
  options: PoolOption,
): Promise<readonly InstanceView[]> {
  const { items } = await client.list('listInstances', { query: { all: 'true' } }, { signal })
  const [path = '', poolOfText] = text.split('@')
  const [first = '', second] = path.split('/')
  const app = second === undefined ? undefined : first
  const name = second ?? first
  const pool = options.environment ?? poolOfText
  const fits = items.filter(
    (each) => (app === undefined || each.app === app) && (pool === undefined || each.pool === pool),
  )
  const exact = fits.filter((each) => each.id === name || each.name === name)
  const starts = fits.filter((each) => each.id.startsWith(name) || each.name.startsWith(name))
  const found = exact.length > 0 ? exact : name === '' ? [] : starts
  if (found.length === 0)
    throw new BerthError('instance.not-found', `no instance "${text}"; \`berth ps --all\` lists them`)
  const running = narrowed(found, (each) => each.phase !== 'ended')
  return running.length > 1 ? narrowed(running, isOfLocalApp()) : running
}

/** Those that fit, or all where none does. */
function narrowed<T>(items: readonly T[], fits: (item: T) => boolean): readonly T[] {
  const fitting = items.filter(fits)
  return fitting.length > 0 ? fitting : items
}

function isOfLocalApp(): (instance: InstanceView) => boolean {
  const local = findLocalApp()?.app
  return (each) => each.app === local
}

/** Fails as the server does where there is no such app, environment or entrypoint: for listings that found nothing. */
export async function requireTarget(
  { client, signal }: CommandContext,
  target: Pick<Target, 'app' | 'entrypoint'> & { readonly pool?: string | undefined },
): Promise<void> {
  const app = await client.call('getApp', { params: { app: target.app } }, { signal })
  const pools = app.pools.filter((each) => target.pool === undefined || each.name === target.pool)
  if (target.pool !== undefined && pools.length === 0) {
    const names = app.pools.map((each) => each.name).join(', ')
    throw new BerthError(
      'pool.not-found',
      `no environment ${target.pool} of ${app.name}; there are: ${names || 'none yet'}`,
    )
  }
  const entrypoints = [...new Set(pools.flatMap((each) => each.entrypoints.map((entry) => entry.name)))]
  if (target.entrypoint !== undefined && !entrypoints.includes(target.entrypoint))
    throw new BerthError(
      'entrypoint.not-found',
      `no entrypoint ${target.entrypoint} of ${app.name}; there are: ${entrypoints.join(', ') || 'none yet'}`,
    )
}
