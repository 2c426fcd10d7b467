import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { TestDockerd } from '../../packages/agent/src/build/dockerd.testing.ts'
import type { DockerClient } from '../../packages/agent/src/engine/docker-client.ts'
import { BuildController } from '../../packages/server/src/controllers/build-controller.ts'
import { RepositoryLooks } from '../../packages/server/src/pipelines/repository-looks.ts'
import { Webhooks } from '../../packages/server/src/pipelines/webhooks.ts'
import { openTemporaryRecords } from '../../packages/server/src/records/open-records.testing.ts'
import { GitRepository, type Workspace } from '../../packages/server/src/source/repositories.testing.ts'
import {
  type BuildPlace,
  byHand,
  inPairs,
  onOwnEngine,
  realBuilder,
  secondsOf,
  sourceFiles,
} from '../build/compared-builds.ts'
import type { Figure } from '../figure.ts'

const maxRatio = 1.1
const secret = 'of the bench'

/** From `git push` to the image, by a signed webhook, a look at the repository and the queue; against pushing and building by hand. */
export const figure: Figure = {
  name: 'push-to-image',
  description: 'from git push to image ready, by a webhook ÷ git push, git pull and docker build by hand',
  unit: 's',
  peer: 'git push && git pull && docker build (classic builder, same engine)',
  target: `<= ${maxRatio}`,
  run: (context) => onOwnEngine(context, measure),
}

async function measure({ space, dockerd, client, context }: BuildPlace) {
  const work = new GitRepository(space.path('app'), sourceFiles())
  const origin = space.path('origin.git')
  mkdirSync(origin)
  work.git('init', '--quiet', '--bare', '--initial-branch=main', origin)
  work.git('push', '--quiet', origin, 'main')
  const clone = space.path('clone')
  execFileSync('git', ['clone', '--quiet', origin, clone])
  await using ours = await pipelineOn(space, dockerd, client, origin)
  /** Each pushes a change of its own, so that neither finds the work of the other done. */
  const change = (who: string, pair: number): void =>
    void work.commit(
      { 'package.json': `{"version":"${who} ${pair}"}`, 'src/0.js': `// ${who} ${pair}\n` },
      `${who} ${pair}`,
    )
  const found = await inPairs(context, {
    ours: async (pair) => {
      change('by webhook', pair)
      return await secondsOf(() => ours.push(work, origin))
    },
    byHand: async (pair) => {
      change('by hand', pair)
      return await secondsOf(() => {
        work.git('push', '--quiet', origin, 'main')
        byHand(dockerd, clone, pair)
      })
    },
  })
  const nothing = await ours.pushNothing(work, origin)
  context.log(
    `a push that changes nothing: ${nothing.seconds.toFixed(2)} s, ${nothing.built ? 'built' : 'nothing built'}`,
  )
  return { ...found, ok: found.ratio <= maxRatio && !nothing.built }
}

/** What a server has between a delivery and an image, on a store of its own. */
async function pipelineOn(space: Workspace, dockerd: TestDockerd, client: DockerClient, origin: string) {
  const stack = new AsyncDisposableStack()
  const under = stack.use(await openTemporaryRecords())
  const { records, state } = under
  const { builder, sources, log } = await realBuilder(space, dockerd, client)
  await records.commit('system:bench', (tx) => {
    tx.put('apps', { name: 'bench', repository: origin, vcs: 'git', createdAt: 0, createdBy: 'bench', nextRelease: 1 })
    tx.put('pipelines', {
      ...{ app: 'bench', branches: ['main'], tags: [], environments: [], automatic: [] },
      ...{ version: 1, updatedAt: 0, updatedBy: 'local:0' },
    })
  })
  stack.use(
    new BuildController({
      ...{ records, state, runner: builder, server: 'bench', defaultPool: 'production', concurrency: 1, log },
    }),
  )
  const looks = new RepositoryLooks({ records, state, sources })
  const webhooks = new Webhooks({
    ...{ records, state, looks, log, pipelines: { secretOf: () => secret } },
    relay: { toLeader: async () => undefined },
  })
  const push = async (work: GitRepository, to: string) => {
    work.git('push', '--quiet', to, 'main')
    const body = Buffer.from(JSON.stringify({ ref: 'refs/heads/main' }))
    const signature = createHmac('sha256', secret).update(body).digest('hex')
    const headers = { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${signature}` }
    const answer = await webhooks.receive({
      ...{ app: 'bench', headers, body, remote: '', signal: AbortSignal.timeout(600_000) },
    })
    const id = answer.body.builds?.[0] ?? ''
    const ended = Promise.withResolvers<void>()
    const look = (): void => {
      if (state.builds.get(id)?.endedAt !== undefined) ended.resolve()
    }
    const unsubscribe = state.changes.subscribe(look)
    look()
    await ended.promise
    unsubscribe()
    const build = state.builds.get(id)
    if (build?.state !== 'succeeded') throw new Error(`build ${id}: ${build?.error?.message ?? answer.body.message}`)
    return build
  }
  return {
    push,
    pushNothing: async (work: GitRepository, to: string) => {
      work.git('commit', '--quiet', '--allow-empty', '-m', 'nothing')
      let built = true
      const seconds = await secondsOf(async () => {
        built = (await push(work, to)).reused !== true
      })
      return { seconds, built }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
