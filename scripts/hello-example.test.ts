import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, it } from 'vitest'

/** The example that ./quickstart deploys, run as its own process. */
const folder = join(import.meta.dirname, '..', 'examples', 'hello')
const started: ChildProcess[] = []

function start(file: string, env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(line))
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = lines.map((line) => pattern.exec(line)).find((match) => match !== null)
      if (found !== undefined) return found
      await once(reader, 'line', { signal: AbortSignal.timeout(10_000) })
    }
  }
  return { child, says, ended: once(child, 'exit', { signal: AbortSignal.timeout(20_000) }) }
}

const startServer = async () => {
  const server = start('server.js', {
    PORT: '0',
    BERTH_INSTANCE: 'hello.production.web-3',
    BERTH_RELEASE: 'v7',
    BERTH_COMMIT: '0123456789abcdef',
    BERTH_ADDRESS: '10.77.0.9',
    COLOR: 'red;}</style>',
    GREETING: '</script><b>',
  })
  const [, port] = await server.says(/listens on port (\d+)/)
  return { ...server, url: `http://127.0.0.1:${port}` }
}

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

it('shows who answers, and nothing of its environment can break the page', async () => {
  const { url } = await startServer()
  const page = await (await fetch(url)).text()
  expect(page).toContain('"name":"web-3"')
  expect(page).toContain('10.77.0.9')
  expect(page).not.toContain('</script><b>')
  expect(page).not.toContain('"placeholder"')
  expect(await (await fetch(`${url}/whoami`)).json()).toMatchObject({
    instance: 'hello.production.web-3',
    release: 'v7',
    commit: '0123456',
    color: '#2f6fed',
    requests: 1,
  })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect((await fetch(`${url}/constructor`)).status).toBe(404)
  expect((await fetch(url, { method: 'POST' })).status).toBe(405)
})

it('finishes what is under way when it is asked to stop, and ends streams', async () => {
  const { child, url, ended, says } = await startServer()
  const stream = await fetch(`${url}/tick`)
  expect(stream.headers.get('content-type')).toBe('text/event-stream')
  const slow = fetch(`${url}/slow?ms=1500`)
  const events = stream.text()
  // The server has both once it has answered a third on a new connection.
  await fetch(`${url}/healthz`)
  child.kill('SIGTERM')
  await says(/SIGTERM: no new connections/)
  expect(await (await slow).text()).toContain('took 1500 ms')
  expect(await events).toMatch(/^retry: 200\ndata: \{/)
  expect(await ended).toEqual([0, null])
})

it('has a worker that says which instance answers it', async () => {
  const { url } = await startServer()
  const { port } = new URL(url)
  const worker = start('worker.js', {
    WEB_HOST: '127.0.0.1',
    WEB_PORT: port,
    BERTH_INSTANCE: 'hello.production.worker-1',
  })
  await worker.says(/tick 1: web-3 of v7 answered/)
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toEqual([0, null])
})

it('has a job that ends well', async () => {
  const job = start('migrate.js', {})
  await job.says(/up to date/)
  expect(await job.ended).toEqual([0, null])
})
