import { expect, it } from 'vitest'
import { type PipelineDocument, readPipeline } from './read-pipeline.ts'

it('takes what makes sense, in its own order', () => {
  const document: PipelineDocument = {
    branches: ['main', 'main', 'release/*'],
    tags: ['v*'],
    deploy: 'test',
    environments: ['test', 'staging', 'production'],
    automatic: ['production', 'staging'],
    pollMs: 60_000,
  }
  expect(readPipeline(document)).toEqual({
    problems: [],
    settings: { ...document, branches: ['main', 'release/*'], automatic: ['staging', 'production'] },
  })
  expect(readPipeline({})).toEqual({
    problems: [],
    settings: { branches: [], tags: [], environments: [], automatic: [] },
  })
})

it.each<[string, PipelineDocument, string[]]>([
  ['a pattern with refs/', { branches: ['refs/heads/main'] }, ['branches[0]']],
  ['too many patterns', { tags: Array.from({ length: 51 }, (_, n) => `v${n}`) }, ['tags']],
  ['a name that is none', { environments: ['Test'], deploy: 'Prod' }, ['environments[0]', 'deploy']],
  ['one of the chain twice', { environments: ['a', 'b', 'a'] }, ['environments[2]']],
  ['the first by itself', { environments: ['a', 'b'], automatic: ['a'] }, ['automatic[0]']],
  ['one that is not in it', { environments: ['a', 'b'], automatic: ['c'] }, ['automatic[0]']],
  ['past the first of the chain', { environments: ['a', 'b'], deploy: 'b' }, ['deploy']],
  ['too often', { branches: ['main'], pollMs: 500 }, ['pollMs']],
  ['asking for nothing', { pollMs: 60_000 }, ['pollMs']],
])('refuses %s', (_, document, paths) => {
  expect(readPipeline(document).problems.map(({ path }) => path)).toEqual(paths)
})
