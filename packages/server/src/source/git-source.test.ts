import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSourceStore } from './create-source-store.ts'
import { GitRepository, readTar, Workspace } from './repositories.testing.ts'
import type { SourceStore } from './source-store.ts'

const log = pino({ level: 'silent' })
let space: Workspace
let store: SourceStore
beforeEach(async () => {
  space = new Workspace()
  store = await createSourceStore({ dir: space.path('sources'), log })
})
afterEach(() => space[Symbol.dispose]())

const failure = (code: string, message: RegExp = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })
const repository = (name = 'shop') => new GitRepository(space.path(name))
const fetch = (from: GitRepository | string, ref = 'HEAD', app = 'shop') =>
  store.fetch({ app, repository: typeof from === 'string' ? from : from.dir, vcs: 'git', ref })

describe('fetching from git', () => {
  test('says which commit it is', async () => {
    const repo = repository()
    const id = repo.commit({ 'a.txt': 'a' }, '  Adds a: "quotes" $(id) \u001b[31mred\u001b[0m\n\nbody')
    expect(await fetch(repo)).toEqual({
      app: 'shop',
      vcs: 'git',
      repository: repo.dir,
      commit: id,
      tree: repo.git('rev-parse', 'HEAD^{tree}'),
      subject: 'Adds a: "quotes" $(id)  [31mred [0m',
      author: 'Ada <ada@example.com>',
      at: Number(repo.git('log', '-1', '--format=%ct')) * 1000,
    })
  })

  test('by every kind of ref', async () => {
    const repo = repository()
    const first = repo.git('rev-parse', 'HEAD')
    repo.git('tag', '-a', '-m', 'tag', 'v1.0')
    repo.git('branch', 'feature/x')
    const second = repo.commit({}, 'second')
    const refs = { HEAD: second, main: second, 'refs/heads/main': second, [second.slice(0, 8)]: second, [first]: first }
    const more = { 'v1.0': first, 'feature/x': first, 'HEAD~1': first, 'main^': first, 'refs/tags/v1.0': first }
    for (const [ref, id] of Object.entries({ ...refs, ...more })) expect((await fetch(repo, ref)).commit, ref).toBe(id)
  })

  test('follows new commits, rewritten history and renamed branches; what was handed out stays readable', async () => {
    const repo = repository()
    repo.git('branch', 'topic')
    const old = await fetch(repo)
    repo.git('checkout', '--quiet', '--orphan', 'other')
    const id = repo.commit({ 'berth.yaml': 'app: new\n' }, 'rewritten')
    repo.git('branch', '--force', 'main', id)
    repo.git('branch', '--move', 'topic', 'topic/deeper')
    repo.git('reflog', 'expire', '--expire=now', '--all')
    repo.git('gc', '--quiet', '--prune=now')
    expect((await fetch(repo, 'main')).commit).toBe(id)
    expect((await fetch(repo, 'topic/deeper')).commit).toBe(old.commit)
    expect(await store.readFile(old, 'berth.yaml')).toBe('app: shop\n')
  })

  test('a commit that no branch leads to, by its full id', async () => {
    const repo = repository()
    await fetch(repo)
    const id = repo.commit({}, 'soon without a branch')
    repo.git('reset', '--quiet', '--hard', 'HEAD~1')
    expect((await fetch(repo, id)).commit).toBe(id)
  })

  test('from a bare repository, a file URL and a repository of another user', async () => {
    const repo = repository('näme with $(touch x) \'"')
    repo.git('clone', '--quiet', '--bare', '.', space.path('bare.git'))
    for (const each of ['bare.git', 'bare.git/HEAD', 'bare.git/config']) chownSync(space.path(each), 4711, 4711)
    chownSync(repo.dir, 4711, 4711)
    chownSync(join(repo.dir, '.git'), 4711, 4711)
    expect((await fetch(repo)).subject).toBe('first')
    expect((await fetch(space.path('bare.git'))).subject).toBe('first')
    expect((await fetch(`file://${space.path('bare.git')}`)).subject).toBe('first')
  })

  test('many at once', async () => {
    const repo = repository()
    const ids = await Promise.all(Array.from({ length: 8 }, async () => (await fetch(repo)).commit))
    expect(new Set(ids)).toEqual(new Set([repo.git('rev-parse', 'HEAD')]))
  })

  test('an app that moves to another repository', async () => {
    const one = await fetch(repository('one'))
    const two = new GitRepository(space.path('two'), { 'berth.yaml': 'app: two\n' })
    expect(await store.readFile(await fetch(two), 'berth.yaml')).toBe('app: two\n')
    expect(await store.readFile(one, 'berth.yaml')).toBe('app: shop\n')
  })

  test('needs no repository for a commit that it has', async () => {
    const repo = repository()
    const { commit } = await fetch(repo)
    expect((await fetch(space.path('gone'), commit)).commit).toBe(commit)
  })
})

describe('refs that name nothing', () => {
  test('says which are near', async () => {
    const repo = repository()
    repo.git('tag', 'v1.0')
    repo.git('branch', 'release')
    await expect(fetch(repo, 'relaese')).rejects.toEqual(
      failure('source.commit-not-found', /has no commit "relaese": did you mean "release"\? it has .*"main"/),
    )
    await expect(fetch(repo, 'f'.repeat(40))).rejects.toEqual(failure('source.commit-not-found', /it has .*"v1.0"/))
    await expect(fetch(repo, 'HEAD~5')).rejects.toEqual(failure('source.commit-not-found'))
  })

  test('an empty repository, and a HEAD without a commit', async () => {
    const empty = new GitRepository(space.path('empty'), {})
    await expect(fetch(empty)).rejects.toEqual(failure('source.commit-not-found', /no branch and no tag/))
    const repo = repository()
    repo.git('symbolic-ref', 'HEAD', 'refs/heads/nowhere')
    await expect(fetch(repo)).rejects.toEqual(failure('source.commit-not-found', /it has "main"/))
  })

  test.each([
    '',
    '-x',
    '--upload-pack=id',
    'a b',
    'a..b',
    'a:b',
    ':/fix',
    'main@{1}',
    '@',
    'a\nb',
    'a\0b',
    '$(id) x',
    'a~x',
    '*',
    'a'.repeat(300),
  ])('%j is refused', async (ref) => {
    await expect(fetch(repository(), ref)).rejects.toEqual(failure('source.bad-ref'))
  })

  test('names with shell characters are only names', async () => {
    const repo = repository()
    const name = 'a;touch$IFS/tmp/x|`id`&"\'(b)'
    repo.git('branch', name)
    expect((await fetch(repo, name)).subject).toBe('first')
  })
})

describe('repositories that are none', () => {
  test.each([
    '',
    'shop',
    './shop',
    '--upload-pack=touch /tmp/x',
    '-u',
    'ext::sh -c id',
    'ext::sh%20-c%20id',
    'http://example.com/x.git',
    'ftp://example.com/x',
    'https://',
    'ssh://-oProxyCommand=id/x',
    '-oProxyCommand=id:x',
    'host:-x',
    'fd::17',
    '/tmp/a\nb',
    'https://user:se cret@example.com/x',
  ])('%j is refused', async (text) => {
    const error = await fetch(text).catch((each) => each)
    expect(error).toEqual(failure('source.bad-repository'))
    expect(error.message).not.toContain('cret')
  })

  test('a path where none is, and one that is no repository', async () => {
    await expect(fetch('/nowhere/at/all')).rejects.toEqual(failure('source.repository-not-found', /\/nowhere\/at\/all/))
    await expect(fetch(space.dir)).rejects.toEqual(failure('source.repository-not-found'))
  })

  test('paths outside what is allowed', async () => {
    const repo = repository()
    const strict = await createSourceStore({ dir: space.path('strict'), log, localRoots: [space.path('allowed')] })
    const inside = new GitRepository(space.path('allowed', 'shop'))
    const ask = (path: string) => strict.fetch({ app: 'shop', repository: path, vcs: 'git', ref: 'HEAD' })
    expect((await ask(inside.dir)).subject).toBe('first')
    for (const path of [repo.dir, `file://${repo.dir}`, `${inside.dir}/../../shop`])
      await expect(ask(path)).rejects.toEqual(failure('source.path-not-allowed'))
  })
})

describe('nothing of a repository is run', () => {
  test('hooks, configured programs, filters, submodules', async () => {
    const repo = repository()
    const inner = new GitRepository(space.path('inner'))
    repo.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.dir, 'sub')
    repo.commit({ '.gitattributes': '* filter=evil export-subst\nhidden export-ignore\n', hidden: '$Format:%H$' }, 'x')
    const trap = space.path('trap')
    const program = space.path('program')
    writeFileSync(program, `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 })
    for (const hook of [
      'post-checkout',
      'reference-transaction',
      'post-update',
      'pre-receive',
      'update',
      'upload-pack',
    ])
      copyFileSync(program, join(repo.dir, '.git', 'hooks', hook))
    const keys = ['uploadpack.packObjectsHook', 'core.fsmonitor', 'core.sshCommand', 'filter.evil.smudge', 'core.pager']
    for (const key of keys) repo.git('config', key, program)
    const at = await fetch(repo)
    const files = await readTar(store.archive(at))
    expect(files).toMatchObject({ hidden: '$Format:%H$', 'berth.yaml': 'app: shop\n' })
    expect(Object.keys(files).filter((name) => name.startsWith('sub/'))).toEqual([])
    expect(existsSync(trap)).toBe(false)
  })
})

describe('reading a commit', () => {
  test('files, folders and the archive', async () => {
    const repo = repository()
    const odd = 'odd/$(id) "\'\\ *[é]\n.txt'
    repo.commit(
      { [odd]: 'odd', 'bin/run': { run: '#!/bin/sh\n' }, link: { link: 'bin/run' }, 'bin/sub/x': 'x' },
      'files',
    )
    const at = await fetch(repo)
    expect(await store.readFile(at, odd)).toBe('odd')
    expect(await store.readFile(at, 'bin')).toBeUndefined()
    expect(await store.readFile(at, 'link')).toBeUndefined()
    expect(await store.readFile(at, 'no')).toBeUndefined()
    expect(await store.readFile(at, '*.yaml')).toBeUndefined()
    expect(await store.list(at, 'bin')).toEqual([
      { path: 'run', mode: 0o755, digest: expect.stringMatching(/^[0-9a-f]{40}$/) },
      { path: 'sub/x', mode: 0o644, digest: expect.stringMatching(/^[0-9a-f]{40}$/) },
    ])
    expect(await store.list(at, 'none')).toEqual([])
    expect(await readTar(store.archive(at))).toEqual({
      'berth.yaml': 'app: shop\n',
      [odd]: 'odd',
      'bin/run': '#755 #!/bin/sh\n',
      'bin/sub/x': 'x',
      link: '-> bin/run',
    })
    expect(await readTar(store.archive(at, { folder: 'bin' }))).toEqual({ run: '#755 #!/bin/sh\n', 'sub/x': 'x' })
  })

  test.each(['../x', '/etc/passwd', 'a/../../b', '', '.', 'a/', 'a//b', 'a\0'])(
    'the path %j is refused',
    async (path) => {
      const at = await fetch(repository())
      await expect(store.readFile(at, path)).rejects.toEqual(failure('source.bad-path'))
    },
  )

  test('a file that is too large to read', async () => {
    const repo = repository()
    repo.commit({ big: 'x'.repeat(2000) }, 'big')
    await expect(store.readFile(await fetch(repo), 'big', { maxBytes: 1000 })).rejects.toEqual(
      failure('source.output-too-large', /2000 bytes/),
    )
  })

  test('an archive given up half-way ends its program', async () => {
    const repo = repository()
    repo.commit({ big: 'x'.repeat(5_000_000) }, 'big')
    const archive = store.archive(await fetch(repo))
    await archive[Symbol.asyncIterator]().next()
    archive.destroy()
    expect(archive.destroyed).toBe(true)
    await expect.poll(() => childrenNamed('git')).toEqual([])
  })
})

describe('bad days', () => {
  test('locks and half-written packs of a killed git', async () => {
    const repo = repository()
    await fetch(repo)
    const mirror = space.path('sources', 'git', 'shop.git')
    for (const file of ['packed-refs.lock', 'refs/heads/main.lock', 'objects/pack/tmp_pack_x'])
      writeFileSync(join(mirror, file), '')
    const id = repo.commit({}, 'second')
    expect((await fetch(repo)).commit).toBe(id)
    expect(readdirSync(join(mirror, 'objects/pack'))).not.toContain('tmp_pack_x')
  })

  test('a broken mirror is made anew', async () => {
    const repo = repository()
    const { commit } = await fetch(repo)
    const object = space.path('sources', 'git', 'shop.git', 'objects', commit.slice(0, 2), commit.slice(2))
    chmodSync(object, 0o644)
    truncateSync(object)
    const second = repo.commit({ a: '1' }, 'second')
    expect((await fetch(repo)).commit).toBe(second)
    expect((await fetch(repo, 'HEAD~1')).subject).toBe('first')
  })

  test('removing an app removes its mirror', async () => {
    await fetch(repository())
    await store.removeApp('shop')
    expect(readdirSync(space.path('sources', 'git'))).toEqual([])
    await store.removeApp('../..')
    expect(existsSync(space.path('shop'))).toBe(true)
  })
})

/** Command lines of our own children of this name. */
function childrenNamed(name: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return stat.includes(`(${name})`) && Number(parent) === process.pid && state !== 'Z' ? [stat] : []
      } catch {
        return []
      }
    })
}
