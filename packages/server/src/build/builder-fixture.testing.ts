import type { LogLine } from '@berth/api'
import { pino } from 'pino'
import { createSourceStore } from '../source/create-source-store.ts'
import { type Files, GitRepository, Workspace, writeFiles } from '../source/repositories.testing.ts'
import { FakeAgents, FakeIndex, imageId } from './agents.testing.ts'
import { BuildOutputs } from './build-outputs.ts'
import { type Builder, createBuilder } from './builder.ts'

export const specOf = (build: string): string =>
  `app: shop\n${build}\nentrypoints:\n  web:\n    command: [node, server.js]\n    ports: [8080]\n`

export const chainSpec = specOf(
  'build:\n  base: base\n  runtimes: [node]\n  dependencies: {files: [package.json, vendor], run: npm ci}\n  run: npm run build\n  args: {VERSION: "1 $x"}',
)

const app: Files = {
  'berth.yaml': chainSpec,
  'package.json': '{}',
  'vendor/a.js': 'a',
  'server.js': 'serve()',
  'src/$(id) "x".js': 'odd',
  'berth/runtime.sh': 'echo app',
  'berth/levels/node/level.yaml': 'env: {NODE_ENV: production}\n',
  'berth/levels/node/static.sh': { run: '#!/bin/sh\necho node' },
  'berth/levels/node/files/etc/node': 'yes',
}
const serverLevels: Files = {
  'base/level.yaml': 'from: debian:12-slim\npackages: [curl]\ncopy: [{from: "tools:1", path: /opt/tools}]\n',
  'base/runtime.sh': 'echo base',
  'node/static.sh': 'the repository’s own level comes first',
}

export interface RunOptions {
  readonly ref?: string
  readonly noReuse?: boolean
  readonly repository?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: object) => void
}

/** A builder on a real repository and a pretended node. */
export class BuilderFixture implements Disposable {
  readonly space = new Workspace()
  readonly repo = new GitRepository(this.space.path('repo'), app)
  readonly agents = new FakeAgents()
  readonly index = new FakeIndex()
  builder!: Builder
  #count = 0

  static async create(): Promise<BuilderFixture> {
    const fixture = new BuilderFixture()
    const { space, agents, index } = fixture
    writeFiles(space.path('levels'), serverLevels)
    agents.images.set('debian:12-slim', imageId('debian')).set('tools:1', imageId('tools'))
    const log = pino({ level: 'silent' })
    const sources = await createSourceStore({ dir: space.path('sources'), log })
    const outputs = await BuildOutputs.open({ dir: space.path('outputs') })
    const levelDirs = [space.path('levels'), space.path('no-such-levels')]
    const options = { sources, outputs, agents, reuse: index, levelDirs, builder: 'berth/0.1.0', log }
    fixture.builder = createBuilder(options)
    return fixture
  }

  [Symbol.dispose](): void {
    this.space[Symbol.dispose]()
  }

  /** Of the last build. */
  get id(): string {
    return `b${this.#count}`
  }

  run({ ref = 'HEAD', noReuse = false, repository = this.repo.dir, signal, onProgress = () => {} }: RunOptions = {}) {
    this.#count += 1
    const build = { id: this.id, app: 'shop', repository, vcs: 'git', ref, noReuse } as const
    return this.builder.run(build, { signal: signal ?? new AbortController().signal, onProgress })
  }

  /** Lines of the last build. */
  async output(): Promise<string[]> {
    const lines: LogLine[] = []
    for await (const line of this.builder.tailBuildOutput(this.id, { follow: false })) lines.push(line)
    return lines.map(({ line }) => line)
  }
}
