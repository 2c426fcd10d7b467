import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Debian's prometheus on a port of its own, which scrapes itself every second. */
export async function startPrometheus(): Promise<AsyncDisposable & { readonly url: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-prometheus-'))
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const config = join(directory, 'prometheus.yml')
  const jobs = `scrape_configs:\n  - job_name: self\n    static_configs: [{targets: ['${address}']}]\n`
  await writeFile(config, `global: {scrape_interval: 1s, scrape_timeout: 1s}\n${jobs}`)
  const child = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=${address}`],
    { stdio: 'ignore' },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    await rm(directory, { recursive: true, force: true })
  }
  const url = `http://${address}/`
  for (let tries = 0; tries < 300; tries++) {
    const ready = await fetch(`${url}-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (ready) return { url, [Symbol.asyncDispose]: stop }
    await delay(100)
  }
  await stop()
  throw new Error('prometheus has not become ready within 30 s')
}

/** One that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}
