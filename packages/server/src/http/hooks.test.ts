import { createHmac } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ServerUnderTest } from '../server-under-test.testing.ts'
import { GitRepository, SvnRepository, Workspace } from '../source/repositories.testing.ts'
import { hookBodyBytes } from './hook-routes.ts'

let server: ServerUnderTest
let space: Workspace
let repo: GitRepository
let secret = ''
let count = 0
let app = ''

beforeAll(async () => {
  server = await ServerUnderTest.start()
  await server.join('a')
  space = new Workspace()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  space[Symbol.dispose]()
})
beforeEach(async () => {
  count += 1
  app = `shop${count}`
  repo = new GitRepository(space.path(app), { 'berth.yaml': `app: ${app}\n` })
  await server.local.call('createApp', { body: { name: app, repository: repo.dir } })
  await server.local.call('setPipeline', { params: { app }, query: {}, body: { branches: ['main', 'release/*'] } })
  secret = (await server.local.call('createWebhookSecret', { params: { app } })).secret
})

const payload = (ref: string, more: object = {}): string =>
  JSON.stringify({ ref, after: repo.git('rev-parse', 'HEAD'), ...more })
const hmac = (body: string, key = secret): string => createHmac('sha256', key).update(body).digest('hex')
const json = { 'content-type': 'application/json' }

const forges: Record<string, (body: string, key?: string) => OutgoingHttpHeaders> = {
  github: (body, key) => ({
    ...json,
    'x-github-event': 'push',
    'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    'x-hub-signature-256': `sha256=${hmac(body, key)}`,
  }),
  gitlab: (_body, key = secret) => ({ ...json, 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': key }),
  // As Gitea sends it: with the headers of GitHub and Gogs beside its own.
  gitea: (body, key) => ({
    ...json,
    'x-gitea-event': 'push',
    'x-gogs-event': 'push',
    'x-github-event': 'push',
    'x-gitea-signature': hmac(body, key),
    'x-gogs-signature': hmac(body, key),
    'x-hub-signature-256': `sha256=${hmac(body, key)}`,
  }),
}

const deliver = async (headers: OutgoingHttpHeaders, body: string, to = app) => {
  const { status, text } = await server.ask({ method: 'POST', path: `/hooks/${to}`, headers, body })
  return { status, ...(JSON.parse(text) as { builds?: string[]; message?: string; error?: { code: string } }) }
}
const builds = async () => (await server.local.list('listBuilds', { query: { app } })).items

describe('a push', () => {
  it.each(Object.keys(forges))(
    'of %s is built at the commit that the repository names, once however often it is told',
    async (forge) => {
      const body = payload('refs/heads/main', { after: 'f'.repeat(40) })
      const headers = forges[forge]?.(body) ?? {}
      const first = await deliver(headers, body)
      expect(first).toMatchObject({ status: 202, builds: [expect.stringMatching(/^b-/)] })
      const [build] = await builds()
      expect(build).toMatchObject({
        ...{ id: first.builds?.[0], ref: repo.git('rev-parse', 'main'), createdBy: `pipeline:${app}` },
        trigger: { ref: 'refs/heads/main', by: 'webhook' },
      })
      expect(await deliver(headers, body)).toMatchObject({ status: 202, builds: [] })
      const many = await Promise.all(Array.from({ length: 8 }, () => deliver(headers, body)))
      expect(many.every(({ status, builds: made }) => status === 202 && made?.length === 0)).toBe(true)
      expect(await builds()).toHaveLength(1)
    },
  )

  it('makes the one before of the same branch pointless as long as that waits, and no other', async () => {
    const tell = (ref: string) => deliver(forges.github?.(payload(ref)) ?? {}, payload(ref))
    await tell('refs/heads/main')
    repo.git('branch', 'release/1')
    await tell('refs/heads/release/1')
    const asked = await server.local.call('startBuild', { params: { app }, body: {} })
    const commit = repo.commit({ 'a.txt': 'a' }, 'second')
    await tell('refs/heads/main')
    const all = await builds()
    expect(all).toHaveLength(4)
    const of = (state: string) => all.filter((each) => each.error?.code === state)
    // The first of them may have begun, where a node was: none is here, so it waits for one as running.
    const newest = all.find((each) => each.ref === commit)
    expect(newest).toMatchObject({ trigger: { ref: 'refs/heads/main' } })
    const older = all.find((each) => each.trigger?.ref === 'refs/heads/main' && each.ref !== commit)
    expect(['running', 'cancelled']).toContain(older?.state)
    expect(of('build.superseded').every((each) => each.id === older?.id)).toBe(true)
    expect(all.find((each) => each.id === asked.id)?.state).not.toBe('cancelled')
    expect(all.find((each) => each.trigger?.ref === 'refs/heads/release/1')?.state).not.toBe('cancelled')
  })

  it('of another branch builds nothing', async () => {
    repo.git('branch', 'topic')
    const body = payload('refs/heads/topic')
    expect(await deliver(forges.github?.(body) ?? {}, body)).toMatchObject({ status: 202, builds: [] })
    expect(await builds()).toEqual([])
  })

  it('to a repository that is away is told, and found by the next look', async () => {
    const body = payload('refs/heads/main')
    repo.git('branch', 'release/2')
    await server.local.call('lookAtPipeline', { params: { app }, body: {} })
    const commit = repo.commit({ 'b.txt': 'b' }, 'while it is away')
    const moved = space.path(`${app}-away`)
    const { renameSync } = await import('node:fs')
    renameSync(repo.dir, moved)
    expect(await deliver(forges.github?.(body) ?? {}, body)).toMatchObject({
      status: 404,
      error: { code: 'source.repository-not-found' },
    })
    renameSync(moved, repo.dir)
    const { builds: made } = await server.local.call('lookAtPipeline', { params: { app }, body: {} })
    expect(made).toMatchObject([{ ref: commit, trigger: { by: 'person' } }])
  })
})

describe('refused', () => {
  it.each(Object.keys(forges))(
    'a delivery of %s with another secret, with an event for a minute’s worth',
    async (forge) => {
      const body = payload('refs/heads/main')
      const forged = forges[forge]?.(body, 'not the secret') ?? {}
      for (let i = 0; i < 3; i += 1)
        expect(await deliver(forged, body)).toMatchObject({ status: 401, error: { code: 'hook.bad-signature' } })
      expect(await builds()).toEqual([])
      const { items } = await server.local.list('listEvents', { query: { app } })
      const refused = items.filter((each) => each.type === 'hook.refused')
      expect(refused).toHaveLength(1)
      expect(JSON.stringify([items, server.logged])).not.toContain(secret)
    },
  )

  it('what is signed for another body', async () => {
    const body = payload('refs/heads/main')
    expect(await deliver(forges.github?.(`${body} `) ?? {}, body)).toMatchObject({ status: 401 })
  })

  it('an app that is not there, one without webhooks and a wrong signature alike', async () => {
    const body = payload('refs/heads/main')
    await server.local.call('createApp', { body: { name: `${app}-none`, repository: repo.dir } })
    const messages = []
    for (const to of [app, `${app}-none`, 'nobody'])
      messages.push((await deliver(forges.github?.(body, 'x') ?? {}, body, to)).error?.code)
    expect(new Set(messages)).toEqual(new Set(['hook.bad-signature']))
  })

  it('an old secret, once there is a new one', async () => {
    const body = payload('refs/heads/main')
    const headers = forges.github?.(body) ?? {}
    await server.local.call('createWebhookSecret', { params: { app } })
    expect(await deliver(headers, body)).toMatchObject({ status: 401 })
  })

  it('a body that is too large, before it is read', async () => {
    const headers = { ...json, 'x-gitlab-token': secret, 'content-length': hookBodyBytes + 1 }
    const { status } = await server.ask({ method: 'POST', path: `/hooks/${app}`, headers })
    expect(status).toBe(413)
  })
})

it('keeps its secret over a change of the pipeline and a restart, sealed', async () => {
  const view = await server.local.call('setPipeline', { params: { app }, query: {}, body: { branches: ['main'] } })
  expect(view).toMatchObject({ webhook: `/hooks/${app}`, branches: ['main'] })
  expect(JSON.stringify(view)).not.toContain(secret)
  await server.stop()
  await server.run()
  const body = payload('refs/heads/main')
  expect(await deliver(forges.github?.(body) ?? {}, body)).toMatchObject({ status: 202, builds: [expect.any(String)] })
})

it('says pong to what it does nothing for', async () => {
  const body = JSON.stringify({ zen: 'Keep it logically awesome.' })
  const headers = { ...forges.github?.(body), 'x-github-event': 'ping' }
  expect(await deliver(headers, body)).toMatchObject({ status: 200, message: 'nothing is done for ping' })
})

it('commits of a Subversion repository are seen by the next look, each once, and built at their revision', async () => {
  const svn = new SvnRepository(space.path(`${app}-svn`))
  svn.commit({ 'trunk/berth.yaml': 'app: old\n', 'branches/winter/berth.yaml': 'app: old\n' }, 'first')
  const params = { app: `${app}-svn` }
  await server.local.call('createApp', { body: { name: params.app, repository: svn.url, vcs: 'svn' } })
  const body = { branches: ['trunk', 'winter'], tags: ['v*'] }
  await server.local.call('setPipeline', { params, query: {}, body })
  const look = async () => (await server.local.call('lookAtPipeline', { params, body: {} })).builds
  expect(await look()).toEqual([])
  svn.commit({ 'trunk/a.txt': 'a' }, 'second')
  expect(await look()).toMatchObject([{ ref: 'trunk@2', trigger: { ref: 'refs/heads/trunk' } }])
  expect(await look()).toEqual([])
  svn.svn('copy', '--quiet', `${svn.url}/trunk`, `${svn.url}/tags/v1`, '--parents', '-m', 'tag')
  svn.svn('copy', '--quiet', `${svn.url}/trunk`, `${svn.url}/branches/topic`, '-m', 'nobody builds it')
  expect(await look()).toMatchObject([{ ref: 'tags/v1@3', trigger: { ref: 'refs/tags/v1' } }])
  const { seen } = await server.local.call('getPipeline', { params })
  expect(seen).toEqual({
    ...{ 'refs/heads/trunk': 'trunk@2', 'refs/heads/winter': 'branches/winter@1', 'refs/tags/v1': 'tags/v1@3' },
  })
})

it('goes with its app', async () => {
  await server.local.call('removeApp', { params: { app } })
  await expect
    .poll(async () => (await server.local.list('listApps', {})).items.some((each) => each.name === app))
    .toBe(false)
  await server.local.call('createApp', { body: { name: app, repository: repo.dir } })
  await expect(server.local.call('getPipeline', { params: { app } })).rejects.toMatchObject({
    code: 'pipeline.not-found',
  })
})
