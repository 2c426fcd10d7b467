import { describe, expect, it } from 'vitest'
import { createClient, type TransportRequest } from './client.ts'
import { parseRevision } from './cluster-headers.ts'

function clientAnswering(status: number, text: string) {
  const requests: TransportRequest[] = []
  const client = createClient(async (request) => {
    requests.push(request)
    return {
      status,
      body: (async function* () {
        // In pieces that cut lines and characters apart.
        const bytes = new TextEncoder().encode(text)
        for (let at = 0; at < bytes.length; at += 5) yield bytes.subarray(at, at + 5)
      })(),
    }
  })
  return { client, requests }
}

describe('the client', () => {
  it('fills paths with encoded parameters and repeats listed query values', async () => {
    const { client, requests } = clientAnswering(200, '{"items":[],"revision":7}')
    expect(await client.list('listReleases', { params: { app: 'a/../b?' } })).toEqual({ items: [], revision: 7 })
    expect(requests[0]).toMatchObject({ method: 'GET', path: '/v1/apps/a%2F..%2Fb%3F/releases', headers: {} })
  })

  it('turns an error body into a BerthError with its code and details', async () => {
    const body = {
      error: { code: 'app.not-found', message: 'no app shop', retryable: false, details: { app: 'shop' } },
    }
    const { client } = clientAnswering(404, JSON.stringify(body))
    await expect(client.call('getApp', { params: { app: 'shop' } })).rejects.toMatchObject({
      code: 'app.not-found',
      message: 'no app shop',
      details: { app: 'shop' },
    })
  })

  it.each(['<html>bad gateway', '{"statusCode":502,"error":"Bad Gateway","message":"full"}', '{}'])(
    'names the call when the answer is no error document: %s',
    async (answer) => {
      const { client } = clientAnswering(502, answer)
      await expect(client.call('getStatus')).rejects.toMatchObject({
        code: 'api.unexpected-answer',
        message: expect.stringContaining(`/v1/status was answered 502: ${answer}`),
      })
    },
  )

  it('reads lines cut anywhere', async () => {
    const lines = [
      { at: 1, stream: 'stdout', line: 'héllo 世界' },
      { at: 2, stream: 'stderr', line: 'x' },
    ]
    const { client } = clientAnswering(200, lines.map((line) => JSON.stringify(line)).join('\n'))
    expect(await Array.fromAsync(client.lines('getLogs', { query: { app: 'shop', follow: 'true' } }))).toEqual(lines)
  })

  it('yields watch events and throws the error event of the stream', async () => {
    const error = { error: { code: 'store.compacted', message: 'gone', retryable: true, details: {} } }
    const text = `: hi\n\nid: 8\ndata: {"type":"mark","revision":8}\n\nevent: error\ndata: ${JSON.stringify(error)}\n\n`
    const { client, requests } = clientAnswering(200, text)
    const events = client.watch('listApps', { revision: 7 })[Symbol.asyncIterator]()
    expect(await events.next()).toEqual({ done: false, value: { type: 'mark', revision: 8 } })
    await expect(events.next()).rejects.toMatchObject({ code: 'store.compacted', retryable: true })
    expect(requests[0]?.path).toBe('/v1/apps?watch=true&revision=7')
  })
})

describe('what a client has seen', () => {
  it('goes with every call: the highest revision of an answer, a mark or before', async () => {
    const sent: (string | undefined)[] = []
    const answers = ['5; epoch=e', '9; epoch=e', '7; epoch=e', undefined, '2; epoch=new']
    const client = createClient(
      async ({ headers, path }) => {
        sent.push(headers['berth-revision'])
        const revision = answers.shift()
        const text = path.includes('watch') ? 'data: {"type":"mark","revision":12}\n\n' : '{}'
        return { status: 200, header: () => revision, body: bytesOf(text) }
      },
      { seen: { revision: 3, epoch: 'e' } },
    )
    for (let call = 0; call < 3; call += 1) await client.call('getStatus')
    for await (const _ of client.watch('listApps', { revision: 9 })) break
    await client.call('getStatus')
    await client.call('getStatus')
    expect(sent).toEqual(['3', '5', '9', '9', '12', '2'].map((each, at) => `${each}; epoch=${at === 5 ? 'new' : 'e'}`))
  })

  it.each(['', 'x', '-1', '1.5', '1; epoch=', `${'9'.repeat(16)}`])('no revision: "%s"', (text) =>
    expect(parseRevision(text)).toBeUndefined(),
  )
})

async function* bytesOf(text: string) {
  yield new TextEncoder().encode(text)
}
