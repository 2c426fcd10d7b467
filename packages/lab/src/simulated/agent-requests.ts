import { createHash } from 'node:crypto'
import type { ServerHttp2Stream } from 'node:http2'

type Answer = (body: string, path: string) => unknown

/** What servers ask of agents besides the sync stream, answered as by a node on which everything works and nothing runs. */
const answers: Readonly<Record<string, Answer>> = {
  'POST /v1/images/resolve': (body) => ({ image: imageId((JSON.parse(body) as { image: string }).image) }),
  'POST /v1/builds': (_body, path) => ({ type: 'done', image: imageId(path) }),
  'GET /v1/images': () => ({ items: [] }),
  'PUT /v1/images': () => ({ image: imageId('copied') }),
  'GET /v1/metrics/instances': () => ({ items: [] }),
  'GET /v1/metrics/cores': () => ({ at: Date.now(), cores: [], instances: [] }),
  'POST /v1/reach': () => ({ answered: [] }),
  'POST /v1/speed': () => ({ unitsPerSecond: 1000 }),
}

const imageId = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

export async function answerRequest(stream: ServerHttp2Stream, method: string, path: string): Promise<void> {
  const [, version = '', ...parts] = path.split('?')[0]?.split('/') ?? []
  const names = [parts.slice(0, 2), parts.slice(0, 1)].map((some) => `${method} /${[version, ...some].join('/')}`)
  const answer = names.map((name) => answers[name]).find((each) => each !== undefined)
  let body = ''
  for await (const chunk of stream.setEncoding('utf8')) body += chunk
  if (stream.destroyed) return
  stream.respond({ ':status': answer === undefined ? 404 : 200, 'content-type': 'application/json' })
  const refusal = { error: { code: 'agent.not-found', message: `no ${path}`, retryable: false, details: {} } }
  stream.end(`${JSON.stringify(answer === undefined ? refusal : answer(body, path))}\n`)
}
