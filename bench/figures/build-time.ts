import { execFileSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { pino } from 'pino'
import { TestDockerd } from '../../packages/agent/src/build/dockerd.testing.ts'
import { createImageBuilder } from '../../packages/agent/src/build/image-builder.ts'
import { DockerClient } from '../../packages/agent/src/engine/docker-client.ts'
import { BASE_IMAGE, makeBaseImages } from '../../packages/lab/src/base-image.ts'
import { BuildOutputs } from '../../packages/server/src/build/build-outputs.ts'
import type { BuildAgents } from '../../packages/server/src/build/build-ports.ts'
import { createBuilder } from '../../packages/server/src/build/builder.ts'
import { createSourceStore } from '../../packages/server/src/source/create-source-store.ts'
import { GitRepository, Workspace } from '../../packages/server/src/source/repositories.testing.ts'
import { type Figure, type FigureContext, median } from '../figure.ts'

const pairs = 7
const files = 2000
const fileBytes = 8 * 1024
const maxRatio = 1.25
const command = 'find . -type f | wc -l > count; sha256sum package.json > sum'

/** The Dockerfile that one would write by hand. */
const dockerfile = `FROM ${BASE_IMAGE}
WORKDIR /app
COPY package.json .
RUN cat package.json > /dependencies
COPY . .
RUN ${command}
`
const spec = `app: bench
build:
  base: ${BASE_IMAGE}
  dependencies: {files: [package.json], run: "cat package.json > /dependencies"}
  run: ${JSON.stringify(command)}
  limits: {network: none}
entrypoints:
  web: {command: ["true"]}
`

/** From a new commit to its image, against the tools that one would use by hand: git pull and docker build. */
export const figure: Figure = {
  name: 'build-time',
  description: `from a new commit (${files} files) to its image ÷ git pull and docker build by hand`,
  unit: 's',
  peer: 'git pull && docker build (classic builder, same engine)',
  target: `<= ${maxRatio}`,
  async run(context) {
    using space = new Workspace()
    await using dockerd = new TestDockerd()
    await dockerd.start()
    await makeBaseImages(`unix://${dockerd.socketPath}`, { signal: context.signal })
    await using client = new DockerClient(dockerd.socketPath, pino({ level: 'silent' }))
    return await measure(space, dockerd, client, context)
  },
}

async function measure(space: Workspace, dockerd: TestDockerd, client: DockerClient, context: FigureContext) {
  const repository = new GitRepository(space.path('app'), sourceFiles())
  const clone = space.path('clone')
  execFileSync('git', ['clone', '--quiet', repository.dir, clone])
  const build = await ourBuilder(space, dockerd, client, repository.dir)
  const [ours, peer]: [number[], number[]] = [[], []]
  for (let pair = 0; pair <= pairs; pair += 1) {
    context.signal.throwIfAborted()
    repository.commit({ 'package.json': `{"version":"${pair}"}`, 'src/0.js': `// ${pair}\n` }, `change ${pair}`)
    const oneAfterTheOther = [
      async () => ours.push(await secondsOf(() => build(`b${pair}`, context.signal))),
      async () => peer.push(await secondsOf(() => byHand(dockerd, clone, pair))),
    ]
    for (const each of pair % 2 === 0 ? oneAfterTheOther : oneAfterTheOther.toReversed()) await each()
    context.log(`pair ${pair} of ${pairs}: ${ours.at(-1)?.toFixed(2)} s by us, ${peer.at(-1)?.toFixed(2)} s by hand`)
  }
  // The first pair warms both up: a clone, a mirror, the page cache.
  const samples = ours.slice(1).map((seconds, index) => seconds / (peer[index + 1] ?? Number.NaN))
  const ratio = median(samples)
  return { ours: median(ours.slice(1)), peer: median(peer.slice(1)), ratio, ok: ratio <= maxRatio, samples }
}

export const sourceFiles = (): Record<string, string> => ({
  'berth.yaml': spec,
  Dockerfile: dockerfile,
  '.dockerignore': '.git\n',
  'package.json': '{}',
  ...Object.fromEntries(
    Array.from({ length: files }, (_, index) => [`src/${index}.js`, `// ${index}\n`.padEnd(fileBytes, 'x')]),
  ),
})

async function ourBuilder(space: Workspace, dockerd: TestDockerd, client: DockerClient, repository: string) {
  const { builder } = await realBuilder(space, dockerd, client)
  return (id: string, signal: AbortSignal) =>
    builder.run(
      { id, app: 'bench', repository, vcs: 'git', ref: 'HEAD', noReuse: false },
      { signal, onProgress: () => {} },
    )
}

/** The builder of the server and that of the agent, without the link between them. */
export async function realBuilder(space: Workspace, dockerd: TestDockerd, client: DockerClient) {
  const log = pino({ level: 'silent' })
  const images = createImageBuilder({ client, log })
  const idOf = async (image: string) => dockerd.docker('image', 'inspect', '--format', '{{.Id}}', image)
  const agents: BuildAgents = {
    pickNode: () => ({ name: 'here', kind: 'shared' }),
    build: (_, request, context, { signal }) =>
      images.build(request, Readable.from(context, { objectMode: false }), signal === undefined ? {} : { signal }),
    resolveImage: (_, image) => idOf(image),
    imageExists: (_, image) => idOf(image).then(Boolean, () => false),
  }
  const sources = await createSourceStore({ dir: space.path('sources'), log })
  const builder = createBuilder({
    ...{ sources, agents, log, reuse: { find: () => [] }, levelDirs: [], builder: 'berth/bench' },
    outputs: await BuildOutputs.open({ dir: space.path('outputs') }),
  })
  return { builder, sources, log }
}

export function byHand(dockerd: TestDockerd, clone: string, pair: number): void {
  execFileSync('git', ['pull', '--quiet'], { cwd: clone })
  const argv = [
    '-H',
    `unix://${dockerd.socketPath}`,
    'build',
    '--quiet',
    '--network=none',
    '--tag',
    `hand:${pair}`,
    clone,
  ]
  execFileSync('docker', argv, { env: { ...process.env, DOCKER_BUILDKIT: '0' }, stdio: ['ignore', 'ignore', 'pipe'] })
}

export async function secondsOf(action: () => unknown): Promise<number> {
  const started = performance.now()
  await action()
  return (performance.now() - started) / 1000
}
