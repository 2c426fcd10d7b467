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
import { Workspace } from '../../packages/server/src/source/repositories.testing.ts'
import { type FigureContext, type FigureResult, median } from '../figure.ts'

export const files = 2000
const fileBytes = 8 * 1024
const pairs = 7
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

/** What a measurement of builds has: a folder, and an engine of its own with the base images. */
export interface BuildPlace {
  readonly space: Workspace
  readonly dockerd: TestDockerd
  readonly client: DockerClient
  readonly context: FigureContext
}

export async function onOwnEngine(
  context: FigureContext,
  measure: (place: BuildPlace) => Promise<FigureResult>,
): Promise<FigureResult> {
  using space = new Workspace()
  await using dockerd = new TestDockerd()
  await dockerd.start()
  await makeBaseImages(`unix://${dockerd.socketPath}`, { signal: context.signal })
  await using client = new DockerClient(dockerd.socketPath, pino({ level: 'silent' }))
  return await measure({ space, dockerd, client, context })
}

/** One way of building what has changed; in seconds. */
type Way = (pair: number) => Promise<number>

/** Both ways in turn, each first in half of the pairs, and what they took. The first pair warms both up: a clone, a mirror, the page cache. */
export async function inPairs(
  { signal, log }: FigureContext,
  { ours, byHand }: { readonly ours: Way; readonly byHand: Way },
) {
  const [own, peer]: [number[], number[]] = [[], []]
  for (let pair = 0; pair <= pairs; pair += 1) {
    signal.throwIfAborted()
    const turns = [async () => own.push(await ours(pair)), async () => peer.push(await byHand(pair))]
    for (const each of pair % 2 === 0 ? turns : turns.toReversed()) await each()
    log(`pair ${pair} of ${pairs}: ${own.at(-1)?.toFixed(2)} s by us, ${peer.at(-1)?.toFixed(2)} s by hand`)
  }
  const samples = own.slice(1).map((seconds, index) => seconds / (peer[index + 1] ?? Number.NaN))
  return { ours: median(own.slice(1)), peer: median(peer.slice(1)), ratio: median(samples), samples }
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
