import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiscoveryUnderTest } from './discovery.testing.ts'

let discovery: DiscoveryUnderTest
let token: string

beforeAll(async () => {
  discovery = await DiscoveryUnderTest.start()
  token = await discovery.token('ci', 'deployer')
})
afterAll(async () => {
  await discovery[Symbol.asyncDispose]()
})

const get = (path: string) => discovery.ask(`/v1/kv/${path}`)
const change = async (method: string, path: string, body?: string | Buffer) => {
  const headers = { 'X-Consul-Token': token }
  const answer = await discovery.ask(`/v1/kv/${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
  return answer.status === 200 ? answer.text : `${answer.status} ${answer.text}`
}
const put = (path: string, body: string | Buffer = '') => change('PUT', path, body)

describe('keys', () => {
  it('keep bytes and flags, and know when they were made and written', async () => {
    expect(await get('a/none')).toMatchObject({ status: 404, text: '' })
    expect(await put('a/one?flags=42', Buffer.from([0, 255]))).toBe('true')
    const [first] = (await get('a/one')).json
    expect(first).toMatchObject({ Key: 'a/one', Flags: 42, Value: 'AP8=', LockIndex: 0 })
    expect(first.CreateIndex).toBe(first.ModifyIndex)
    expect(await put('a/one', 'text')).toBe('true')
    const [second] = (await get('a/one')).json
    expect(second).toMatchObject({ Flags: 0, CreateIndex: first.CreateIndex })
    expect(second.ModifyIndex).toBeGreaterThan(first.ModifyIndex)
    const raw = await get('a/one?raw')
    expect(raw).toMatchObject({ text: 'text', index: second.ModifyIndex })
    await put('a/empty')
    expect((await get('a/empty')).json).toMatchObject([{ Value: null }])
    await put('a/%E5%8C%97%E4%BA%AC%20x')
    expect((await get('a/?keys')).json).toContain('a/北京 x')
  })

  it('are written only as they are known, where that is asked for', async () => {
    expect(await put('cas/a?cas=7', '1')).toBe('false')
    expect(await put('cas/a?cas=0', '1')).toBe('true')
    expect(await put('cas/a?cas=0', '2')).toBe('false')
    const index = (await get('cas/a')).json[0].ModifyIndex
    const both = await Promise.all([put(`cas/a?cas=${index}`, '2'), put(`cas/a?cas=${index}`, '3')])
    expect(both.sort()).toEqual(['false', 'true'])
    expect(await change('DELETE', `cas/a?cas=${index}`)).toBe('false')
    const now = (await get('cas/a')).json[0].ModifyIndex
    expect(await change('DELETE', `cas/a?cas=${now}`)).toBe('true')
    expect(await get('cas/a')).toMatchObject({ status: 404 })
    expect(await change('DELETE', 'cas/a')).toBe('true')
  })

  it('are listed below a prefix, whole or up to a separator, and deleted', async () => {
    const all = ['tree/a', 'tree/b/1', 'tree/b/2', 'tree/c/d/1']
    for (const key of [...all].reverse()) await put(key, key)
    expect((await get('tree/?recurse')).json.map((each: { Key: string }) => each.Key)).toEqual(all)
    expect((await get('tree/?keys')).json).toEqual(all)
    expect((await get('tree/?keys&separator=/')).json).toEqual(['tree/a', 'tree/b/', 'tree/c/'])
    expect(await change('DELETE', 'tree/b?recurse')).toBe('true')
    expect((await get('tree/?keys')).json).toEqual(['tree/a', 'tree/c/d/1'])
    expect(await get('nothing/?keys')).toMatchObject({ status: 404 })
  })

  it('wake who waits for them, for what is below, and for what is not there yet', async () => {
    await put('wake/a', '1')
    const [one, below, missing] = [await get('wake/a'), await get('wake/?recurse'), await get('wake/b')]
    const waits = [
      get(`wake/a?index=${one.index}`),
      get(`wake/?recurse&index=${below.index}`),
      get(`wake/b?index=${missing.index}`),
    ]
    await put('elsewhere', 'x')
    await expect.poll(() => discovery.api.waiting).toBe(3)
    await put('wake/b', '2')
    expect((await waits[1])?.json).toHaveLength(2)
    expect((await waits[2])?.json).toHaveLength(1)
    expect(discovery.api.waiting).toBe(1)
    const both = get(`wake/?recurse&index=${(await get('wake/?recurse')).index}`)
    await change('DELETE', 'wake/a')
    expect(await waits[0]).toMatchObject({ status: 404 })
    expect((await both).json).toHaveLength(1)
  })

  it('know of what went while a server was away', async () => {
    await put('gone/a', '1')
    const { index } = await get('gone/?recurse')
    await discovery.close()
    await discovery.cluster.records.commit('system:test', (tx) => tx.delete('keyValues', 'gone/a'))
    await discovery.open({ anonymous: 'read' })
    expect(await get(`gone/?recurse&index=${index}&wait=60s`)).toMatchObject({ status: 404 })
  })

  it('are refused where they make no sense, in words', async () => {
    expect(await put('a?acquire=s')).toContain('no sessions')
    expect(await put('a?cas=x')).toContain('a whole number is expected')
    expect(await put('', 'x')).toContain('400')
    expect(await put('x'.repeat(600), 'x')).toContain('at most 512 bytes')
    expect(await put('big', Buffer.alloc(600_000))).toMatch(/^413 /)
    expect(await put('upstreams/legacy/10.0.0.1:80', '{"weight":1}')).toBe('true')
  })
})
