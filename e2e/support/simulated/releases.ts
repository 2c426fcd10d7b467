import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../../packages/api/src/index.ts'
import { inParallel } from '../load.ts'

export const appName = (index: number): string => `app-${String(index + 1).padStart(4, '0')}`

/** Of apps that differ in what they ask for and where they may run, so that the scheduler has something to decide. */
export const specOf = (app: string, index: number, replicas: number): string => `app: ${app}
image: example.com/${app}:1
entrypoints:
  worker:
    command: [work]
    cpu: ${[0.05, 0.1, 0.15, 0.2][index % 4]}
    memory: ${[64, 128, 192, 256][(index >> 2) % 4]}Mi
    replicas: ${replicas}
    readyTimeout: 10m
    placement:
      where: [${['disk = ssd', '"disk in (ssd, hdd)"', 'kernel >= 6.1', 'disk = hdd'][index % 4]}]
`

export const nodeLabels = ['disk=ssd/hdd', 'site=a/b/c', 'kernel=6.1/6.12/6.18']

/** The link of the node that built was lost, as happens where thousands of agents share a machine: to be built once more. */
const linkFailures: ReadonlySet<string> = new Set(['node.offline', 'agent.stream-failed'])

/** Registers the apps and makes a release of each, as their owners would: a repository, a build, an image that is there. */
export async function makeReleases(
  client: Client,
  options: {
    readonly directory: string
    readonly apps: number
    readonly replicas: number
    /** Lines of YAML, added to the placement of each. */
    readonly more?: string
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { directory, apps, replicas, more = '', signal } = options
  const names = Array.from({ length: apps }, (_, index) => index)
  const repositories = new Map<string, string>()
  const build = (app: string) =>
    client.call('startBuild', { params: { app }, body: { repository: repositories.get(app) ?? '' } }, { signal })
  await inParallel(names, 8, async (index) => {
    const app = appName(index)
    repositories.set(app, makeRepository(directory, app, specOf(app, index, replicas) + more))
    await build(app)
  })
  const givenUp = new Set<string>()
  const deadline = performance.now() + apps * 2_000 + 60_000
  for (let made = 0; made < apps; ) {
    if (performance.now() > deadline) throw new Error(`only ${made} of ${apps} releases were made in time`)
    await delay(1000, undefined, { signal })
    const { items } = await client.list('listBuilds', {}, { signal })
    for (const { id, app, error } of items.filter(({ id, state }) => state === 'failed' && !givenUp.has(id))) {
      if (!linkFailures.has(error?.code ?? '')) throw new Error(`build of ${app} failed: ${error?.message}`)
      givenUp.add(id)
      await build(app)
    }
    made = new Set(items.filter(({ state }) => state === 'succeeded').map(({ app }) => app)).size
  }
}

function makeRepository(directory: string, app: string, spec: string): string {
  const repository = join(directory, `${app}.git`)
  mkdirSync(repository, { recursive: true })
  git(repository, ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', '.'])
  const commit = [
    ...['commit refs/heads/main', 'committer Test <test@example.com> 0 +0000', 'data 5', 'first'],
    ...['M 644 inline berth.yaml', `data ${Buffer.byteLength(spec)}`, spec],
  ]
  git(repository, ['fast-import', '--quiet'], `${commit.join('\n')}\n`)
  return repository
}

function git(cwd: string, args: readonly string[], input = ''): void {
  const { status, stderr } = spawnSync('git', args, { cwd, input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
}
