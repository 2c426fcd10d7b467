import { readdirSync } from 'node:fs'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testSpec as specOf } from '../controllers/specs.testing.ts'
import { releaseDiff } from '../pipelines/release-diff.ts'
import type { State } from '../records/index.ts'
import { createSourceStore } from './create-source-store.ts'
import { readTar, SvnRepository, Workspace } from './repositories.testing.ts'
import type { SourceStore } from './source-store.ts'

const plainSpec = specOf({ web: {} })

let space: Workspace
let store: SourceStore
let repo: SvnRepository
beforeAll(async () => {
  space = new Workspace()
  store = await createSourceStore({ dir: space.path('sources'), log: pino({ level: 'silent' }) })
  repo = new SvnRepository(space.path('svn'))
  repo.commit(
    { 'trunk/berth.yaml': 'app: shop\n', 'trunk/bin/run': { run: '#!/bin/sh\n' } },
    'first <&> "commit"\n\nbody',
  )
  repo.commit({ 'branches/odd #2 $(id) é/berth.yaml': 'app: odd\n' }, 'branch')
  repo.svn('propset', '--quiet', 'svn:externals', `${repo.url}/trunk outside`, 'trunk')
  repo.commit({ 'trunk/a@b.txt': 'at', 'trunk/link': { link: 'bin/run' } }, 'third')
})
afterAll(() => space[Symbol.dispose]())

const fetch = (ref: string, repository = repo.url) => store.fetch({ app: 'shop', repository, vcs: 'svn', ref })
const failure = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe('svn', () => {
  test('HEAD of a folder is its last change, and its tree only changes with it', async () => {
    const trunk = `${repo.url}/trunk`
    const before = await fetch('HEAD', trunk)
    expect(before).toMatchObject({ vcs: 'svn', commit: 'r3', subject: 'third', author: 'ada', repository: trunk })
    expect(before.at).toBeGreaterThan(Date.now() - 600_000)
    repo.commit({ 'branches/other/x': 'x' }, 'elsewhere')
    expect(await fetch('HEAD', trunk)).toEqual(before)
    expect((await fetch('r1', trunk)).tree).not.toBe(before.tree)
  })

  test.each([
    ['r1', 'r1', 'first <&> "commit"'],
    ['1', 'r1', 'first <&> "commit"'],
    ['trunk', 'trunk@3', 'third'],
    ['trunk@1', 'trunk@1', 'first <&> "commit"'],
    ['branches/odd #2 $(id) é@HEAD', 'branches/odd #2 $(id) é@2', 'branch'],
  ])('%s', async (ref, commit, subject) => {
    expect(await fetch(ref)).toMatchObject({ commit, subject })
  })

  test('files and the archive, without externals', async () => {
    const at = await fetch('trunk')
    expect(await store.readFile(at, 'a@b.txt')).toBe('at')
    expect(await store.readFile(at, 'bin/run')).toBe('#!/bin/sh\n')
    expect(await store.readFile(at, 'bin/none')).toBeUndefined()
    expect(await store.readFile(at, 'bin')).toBeUndefined()
    expect(await store.list(at, 'bin')).toEqual([{ path: 'run', mode: 0o644, digest: 'r1' }])
    expect(await store.list(at, 'none')).toEqual([])
    expect(await readTar(store.archive(at))).toEqual({
      'a@b.txt': 'at',
      'berth.yaml': 'app: shop\n',
      'bin/run': '#755 #!/bin/sh\n',
      link: '-> bin/run',
    })
    expect(await readTar(store.archive(at, { folder: 'bin' }))).toEqual({ run: '#755 #!/bin/sh\n' })
    expect(readdirSync(space.path('sources', 'svn')).filter((name) => name.startsWith('export-'))).toEqual([])
  })

  test('by path', async () => {
    expect((await fetch('trunk', space.path('svn', 'repository'))).commit).toBe('trunk@3')
  })

  test.each<[string, string | undefined, string, RegExp]>([
    ['r99', undefined, 'source.commit-not-found', /no such revision/],
    ['tags/none', undefined, 'source.commit-not-found', /at its top are branches, trunk/],
    ['HEAD', '/nowhere', 'source.repository-not-found', /nowhere/],
    ['HEAD', 'svn://127.0.0.1:1/x', 'source.unreachable', /127.0.0.1/],
    ['../x', undefined, 'source.bad-ref', /r123/],
    ['--config-dir=x', undefined, 'source.bad-ref', /r123/],
    ['HEAD', 'svn+evil://x/y', 'source.bad-repository', /svn/],
    ['HEAD', '--username=x', 'source.bad-repository', /svn/],
  ])('%s of %s: %s', async (ref, repository, code, message) => {
    await expect(fetch(ref, repository)).rejects.toEqual(failure(code, message))
  })

  test('the password of a URL is not shown', async () => {
    const error = await fetch('HEAD', 'svn://ada:top-secret@127.0.0.1:1/x').catch((each) => each)
    expect(error).toEqual(failure('source.unreachable', /svn:\/\/\*\*\*@127/))
    expect(String(error.stack)).not.toContain('top-secret')
  })

  test('revisions between two are told, on one way and over branches, newest first', async () => {
    const other = new SvnRepository(space.path('log'))
    const at = (ref: string) => fetch(ref, other.url)
    const between = async (from: string, to: string, limit = 10) =>
      (await store.log({ from: await at(from), to: await at(to), limit })).map(({ commit, subject }) => [
        commit,
        subject,
      ])
    other.commit({ 'trunk/a': '1' }, 'first')
    other.commit({ 'trunk/a': '2' }, 'second <&>\n\nits body')
    other.svn('copy', '--quiet', `${other.url}/trunk`, `${other.url}/branches/winter`, '--parents', '-m', 'branch')
    other.svn('update', '--quiet')
    other.commit({ 'branches/winter/a': '3' }, 'on the branch')
    other.commit({ 'trunk/a': '4' }, 'on trunk')
    expect(await between('trunk@1', 'trunk@5')).toEqual([
      ['r5', 'on trunk'],
      ['r2', 'second <&>'],
    ])
    expect(await between('trunk@1', 'trunk@5', 1)).toEqual([['r5', 'on trunk']])
    expect(await between('trunk@5', 'trunk@1')).toEqual([])
    expect(await between('trunk@5', 'branches/winter')).toEqual([
      ['r4', 'on the branch'],
      ['r3', 'branch'],
    ])
    expect(await between('branches/winter', 'trunk@5')).toEqual([['r5', 'on trunk']])
    expect((await between('r1', 'r5')).map(([commit]) => commit)).toEqual(['r5', 'r4', 'r3', 'r2'])
    const [entry] = await store.log({ from: await at('trunk@1'), to: await at('trunk@2'), limit: 5 })
    expect(entry).toMatchObject({ author: 'ada', at: expect.any(Number) })
    expect(entry?.at).toBeGreaterThan(Date.now() - 600_000)
  })

  test('a diff of two releases lists them', async () => {
    const other = new SvnRepository(space.path('diff'))
    for (const subject of ['one', 'two', 'three']) other.commit({ 'trunk/a': subject }, subject)
    const releases = { 1: 'trunk@1', 2: 'trunk@3', 3: undefined } as Record<string, string | undefined>
    const state = {
      apps: new Map([['shop', { name: 'shop', repository: other.url, vcs: 'svn' }]]),
      pools: { find: () => undefined },
      releases: {
        find: (_: string, id: string) => ({ app: 'shop', id, image: id, commit: releases[id], spec: plainSpec }),
      },
    } as unknown as State
    const signal = new AbortController().signal
    const diff = (from: string, release: string) =>
      releaseDiff({ state, sources: store, signal }, { app: 'shop', pool: 'production', from, release })
    expect(await diff('1', '2')).toMatchObject({
      added: [{ commit: 'r3' }, { commit: 'r2' }],
      removed: [],
      more: false,
    })
    expect(await diff('2', '1')).toMatchObject({ added: [], removed: [{ commit: 'r3' }, { commit: 'r2' }] })
    expect(await diff('1', '3')).toMatchObject({ problem: 'they are not both of a repository' })
  })

  test('branches and tags are listed as git’s, each with what last changed in it', async () => {
    const other = new SvnRepository(space.path('layout'))
    const list = async (repository = other.url) =>
      Object.fromEntries(await store.listRefs({ app: 'shop', repository, vcs: 'svn' }))
    expect(await list()).toEqual({ 'refs/heads/trunk': 'r0' })
    other.commit({ 'trunk/berth.yaml': 'app: shop\n' }, 'first')
    expect(await list()).toEqual({ 'refs/heads/trunk': 'trunk@1' })
    other.commit(
      { 'branches/winter sale/a.txt': 'a', 'branches/a@b/c': 'c', 'branches/trunk/a': 'a', 'branches/file': '' },
      'more',
    )
    other.svn('copy', '--quiet', `${other.url}/trunk`, `${other.url}/tags/v1`, '--parents', '-m', 'tag')
    const listed = {
      ...{ 'refs/heads/trunk': 'trunk@1', 'refs/heads/winter sale': 'branches/winter sale@2' },
      'refs/tags/v1': 'tags/v1@3',
    }
    expect(await list()).toEqual(listed)
    other.commit({ 'trunk/deep/down.txt': 'x' }, 'below')
    expect(await list()).toEqual({ ...listed, 'refs/heads/trunk': 'trunk@4' })
    for (const ref of Object.values(await list()))
      expect(await store.fetch({ app: 'shop', repository: other.url, vcs: 'svn', ref })).toMatchObject({ commit: ref })
    expect(await list(`${other.url}/trunk`)).toEqual({ 'refs/heads/trunk': 'r4' })
    await expect(list(`${other.url}/nowhere`)).rejects.toEqual(
      failure('source.repository-not-found', /list the branches/),
    )
  })
})
