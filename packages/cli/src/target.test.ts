import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CommandContext } from './command-context.ts'
import { findAnyInstance, findInstance, requireTarget } from './target.ts'

const instance = (id: string, phase = 'running', ready = true) => {
  const [app, pool, name = ''] = id.split('.')
  return { id, app, pool, name, entrypoint: name.replace(/-\d+$/, ''), phase, ready }
}

const items = [
  instance('shop.production.web-1', 'ended', false),
  instance('shop.production.web-2', 'running', false),
  instance('shop.production.web-3'),
  instance('shop.production.worker-4'),
  instance('shop.staging.api-1'),
  instance('blog.production.web-3'),
]
const shop = {
  name: 'shop',
  pools: [
    { name: 'production', entrypoints: [{ name: 'web' }, { name: 'worker' }] },
    { name: 'staging', entrypoints: [{ name: 'api' }] },
  ],
}
const context = { client: { list: async () => ({ items }), call: async () => shop } } as unknown as CommandContext

describe('naming an instance', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-target-'))
    vi.spyOn(process, 'cwd').mockReturnValue(directory)
  })
  afterEach(() => {
    vi.restoreAllMocks()
    rmSync(directory, { recursive: true })
  })

  it.each([
    ['web-2', 'shop.production.web-2'],
    ['shop/web-3', 'shop.production.web-3'],
    ['worker', 'shop.production.worker-4'],
    ['shop.production.web-1', 'shop.production.web-1'],
    ['shop/api-1@staging', 'shop.staging.api-1'],
  ])('%s is %s', async (text, id) => expect(await findInstance(context, text)).toMatchObject({ id }))

  it('what runs hides what has ended, and nothing names nothing', async () => {
    await expect(findInstance(context, 'shop/web')).rejects.toThrow(
      'shop/web could be shop.production.web-2, shop.production.web-3; say more of it',
    )
    await expect(findInstance(context, '')).rejects.toThrow('no instance ""')
  })

  it('the app of the berth.yaml here comes first', async () => {
    await expect(findInstance(context, 'web-3')).rejects.toThrow(
      'could be shop.production.web-3, blog.production.web-3',
    )
    writeFileSync(join(directory, 'berth.yaml'), 'app: blog\n')
    expect(await findInstance(context, 'web-3')).toMatchObject({ id: 'blog.production.web-3' })
  })

  it('any instance of an entrypoint will do for exec, a ready one first; never of several', async () => {
    expect(await findAnyInstance(context, 'shop/web')).toMatchObject({ id: 'shop.production.web-3', chosen: true })
    expect(await findAnyInstance(context, 'web-2')).toMatchObject({ id: 'shop.production.web-2', chosen: false })
    await expect(findAnyInstance(context, 'shop/w')).rejects.toMatchObject({ code: 'instance.ambiguous' })
  })

  it.each([
    [{ pool: 'prod' }, 'no environment prod of shop; there are: production, staging'],
    [{ entrypoint: 'wbe' }, 'no entrypoint wbe of shop; there are: web, worker, api'],
    [{ pool: 'staging', entrypoint: 'web' }, 'no entrypoint web of shop; there are: api'],
  ])('%j is missed', async (target, message) =>
    expect(requireTarget(context, { app: 'shop', ...target })).rejects.toThrow(message),
  )
})
