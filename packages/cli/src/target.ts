import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Client, InstanceView } from '@berth/api'
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
      `${text} is no target; write APP, APP/ENTRYPOINT or APP/ENTRYPOINT@ENVIRONMENT`,
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
  const items = await allInstances(context.client, context.signal)
  const [first = '', second] = text.split('/')
  const app = second === undefined ? undefined : first
  const name = second ?? first
  const pool = options.environment
  const fits = items.filter(
    (each) => (app === undefined || each.app === app) && (pool === undefined || each.pool === pool),
  )
  const exact = fits.filter((each) => each.id === name || each.name === name)
  const found = exact.length > 0 ? exact : fits.filter((each) => each.id.startsWith(name) || each.name.startsWith(name))
  if (found.length === 1 && found[0] !== undefined) return found[0]
  if (found.length === 0)
    throw new BerthError('instance.not-found', `no instance ${text}; \`berth ps --all\` lists them`)
  const ids = found.slice(0, 8).map((each) => each.id)
  throw new BerthError(
    'instance.ambiguous',
    `${text} could be ${ids.join(', ')}${found.length > ids.length ? ', …' : ''}; say more of it`,
  )
}

async function allInstances(client: Client, signal: AbortSignal): Promise<readonly InstanceView[]> {
  return (await client.list('listInstances', { query: { all: 'true' } }, { signal })).items
}
