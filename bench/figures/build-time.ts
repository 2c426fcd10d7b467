import { execFileSync } from 'node:child_process'
import { GitRepository } from '../../packages/server/src/source/repositories.testing.ts'
import {
  type BuildPlace,
  byHand,
  files,
  inPairs,
  onOwnEngine,
  realBuilder,
  secondsOf,
  sourceFiles,
} from '../build/compared-builds.ts'
import type { Figure } from '../figure.ts'

const maxRatio = 1.25

/** From a new commit to its image, against the tools that one would use by hand: git pull and docker build. */
export const figure: Figure = {
  name: 'build-time',
  description: `from a new commit (${files} files) to its image ÷ git pull and docker build by hand`,
  unit: 's',
  peer: 'git pull && docker build (classic builder, same engine)',
  target: `<= ${maxRatio}`,
  run: (context) => onOwnEngine(context, measure),
}

async function measure({ space, dockerd, client, context }: BuildPlace) {
  const repository = new GitRepository(space.path('app'), sourceFiles())
  const clone = space.path('clone')
  execFileSync('git', ['clone', '--quiet', repository.dir, clone])
  const { builder } = await realBuilder(space, dockerd, client)
  const source = { app: 'bench', repository: repository.dir, vcs: 'git', ref: 'HEAD', noReuse: false } as const
  let committed = -1
  /** Both build the same one. */
  const commit = (pair: number): void => {
    if (committed === pair) return
    committed = pair
    repository.commit({ 'package.json': `{"version":"${pair}"}`, 'src/0.js': `// ${pair}\n` }, `change ${pair}`)
  }
  const found = await inPairs(context, {
    ours: async (pair) => {
      commit(pair)
      const options = { signal: context.signal, onProgress: () => {} }
      return await secondsOf(() => builder.run({ id: `b${pair}`, ...source }, options))
    },
    byHand: async (pair) => {
      commit(pair)
      return await secondsOf(() => byHand(dockerd, clone, pair))
    },
  })
  return { ...found, ok: found.ratio <= maxRatio }
}
