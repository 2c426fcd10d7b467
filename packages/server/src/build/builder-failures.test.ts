import { rmSync } from 'node:fs'
import type { BuildEvent } from '@berth/api'
import { BerthError } from '@berth/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Files, GitRepository } from '../source/repositories.testing.ts'
import type { FakeAgents } from './agents.testing.ts'
import { BuilderFixture, chainSpec, type RunOptions, specOf } from './builder-fixture.testing.ts'

let fixture: BuilderFixture
let repo: GitRepository
let agents: FakeAgents
beforeEach(async () => {
  fixture = await BuilderFixture.create()
  ;({ repo, agents } = fixture)
})
afterEach(() => fixture[Symbol.dispose]())

const run = (options?: RunOptions) => fixture.run(options)
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe('failures', () => {
  test.each<[string, Files, string, RegExp]>([
    ['no berth.yaml', { 'berth.yaml': { link: '/etc/passwd' } }, 'build.spec-missing', /run berth init/],
    [
      'mistakes in berth.yaml',
      { 'berth.yaml': 'app: shop\nbild: x\n' },
      'spec.invalid',
      /berth.yaml at .* has .*mistakes?:\nberth.yaml:\d+:\d+: .*bild/s,
    ],
    [
      'another app',
      { 'berth.yaml': chainSpec.replace('shop', 'boat') },
      'build.app-mismatch',
      /of app "boat", not of "shop"/,
    ],
    [
      'an unknown level',
      { 'berth.yaml': chainSpec.replace('[node]', '[nodes]') },
      'build.level-not-found',
      /did you mean "node"\? there are base, node/,
    ],
    [
      'an unknown key in level.yaml',
      { 'berth/levels/node/level.yaml': 'form: x:1' },
      'build.level-invalid',
      /level.yaml in berth\/levels\/node of the repository.*form/,
    ],
    ['broken YAML', { 'berth/levels/node/level.yaml': '{' }, 'build.level-invalid', /line 1/],
    [
      'a bad package',
      { 'berth/levels/node/level.yaml': 'packages: ["a; id"]' },
      'build.level-invalid',
      /cannot name a package/,
    ],
    [
      'a bad copy',
      { 'berth/levels/node/level.yaml': 'copy: [{from: "x:1", path: a}]' },
      'build.level-invalid',
      /copy.0.path: write an absolute path/,
    ],
    [
      'a base without from',
      { 'berth.yaml': chainSpec.replace('base: base', 'base: node') },
      'build.level-invalid',
      /give its level.yaml a `from`/,
    ],
    ['a level on itself', { 'berth/levels/base/level.yaml': 'from: base' }, 'build.level-repeated', /stands on itself/],
    [
      'Windows line ends',
      { 'berth/levels/node/static.sh': '#!/bin/sh\r\necho\r\n' },
      'build.level-invalid',
      /static.sh in .* Windows line ends/,
    ],
    [
      'a missing dependency file',
      { 'berth.yaml': chainSpec.replace('vendor]', 'vendors]') },
      'build.dependency-file-missing',
      /: vendors$/,
    ],
    [
      'a base that is nowhere',
      { 'berth/levels/base/level.yaml': 'from: no/such:1' },
      'build.base-not-found',
      /base image no\/such:1 is not on node node-a/,
    ],
    [
      'a missing Dockerfile',
      { 'berth.yaml': specOf('build: {dockerfile: D}') },
      'build.dockerfile-missing',
      /there is no D at/,
    ],
  ])('%s', async (_, files, code, message) => {
    for (const path of Object.keys(files)) rmSync(`${repo.dir}/${path}`, { force: true })
    repo.commit(files, 'broken')
    await expect(run()).rejects.toEqual(failure(code, message))
    expect((await fixture.output()).at(-1)).toMatch(/^failed: /)
    expect(agents.builds.filter(({ request }) => request.tag.startsWith('berth/app-'))).toEqual([])
  })

  test('of a step: the last lines go with the error', async () => {
    agents.onBuild = () => [
      { type: 'output', at: 1, line: 'npm ERR! no such package' },
      { type: 'failed', code: 'build.step-failed', message: 'step 2 of 3 (npm ci) failed with exit code 1' },
    ]
    await expect(run()).rejects.toMatchObject({
      code: 'build.step-failed',
      message: 'step 2 of 3 (npm ci) failed with exit code 1',
      details: { node: 'node-a', logTail: [expect.stringMatching(/^building /), 'npm ERR! no such package'] },
    })
  })

  test('an agent that goes away', async () => {
    const end = (async function* () {})() as AsyncGenerator<BuildEvent>
    agents.build = () => end as never
    await expect(run()).rejects.toEqual(failure('build.interrupted', /node-a ended without a result/))
  })

  test('a commit that does not exist', async () => {
    await expect(run({ ref: 'mian' })).rejects.toEqual(failure('source.commit-not-found', /did you mean "main"/))
  })

  test('passwords show up nowhere', async () => {
    const repository = 'https://ada:very-secret@127.0.0.1:1/shop.git'
    const error = await run({ repository }).catch((each) => each)
    expect(error).toEqual(failure('source.unreachable', /\*\*\*@127/))
    agents.onBuild = () => [{ type: 'output', at: 1, line: 'clone https://ada:very-secret@example.com/x failed' }]
    const lines = await fixture.output()
    await run()
    expect(JSON.stringify([error.message, lines, await fixture.output()])).not.toContain('very-secret')
    expect((await fixture.output()).join('\n')).toContain('clone https://***@example.com/x failed')
  })

  test('cancelling', async () => {
    const abort = new AbortController()
    const reason = new BerthError('build.cancelled', 'cancelled by ada')
    agents.onBuild = async function* () {
      abort.abort(reason)
      yield { type: 'output', at: 1, line: 'late' }
    }
    await expect(run({ signal: abort.signal })).rejects.toBe(reason)
    expect((await fixture.output()).at(-1)).toBe('failed: cancelled by ada')
  })
})
