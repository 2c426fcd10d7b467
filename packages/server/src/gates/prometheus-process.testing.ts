import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { queryPrometheus } from './prometheus.ts'

/** Who may ask the one that has TLS. */
export const allowed = { user: 'berth', secret: 'only for tests' } as const
/** Of the secret, as `htpasswd -B` makes it. */
const hashed = '$2b$05$abcdefghijklmnopqrstuui3d48x2EmEcM8nS6p4.UqwA2W2X0bq2'

export interface PrometheusProcess extends AsyncDisposable {
  readonly url: string
  /** PEM; empty without TLS. */
  readonly ca: string
}

/** Debian's prometheus on a port of its own, which scrapes itself every second. `tls`: with a certificate of its own, and asking who is there. */
export async function startPrometheus({ tls = false } = {}): Promise<PrometheusProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-prometheus-'))
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const config = join(directory, 'prometheus.yml')
  const jobs = `scrape_configs:\n  - job_name: self\n    static_configs: [{targets: ['${address}']}]\n`
  await writeFile(config, `global: {scrape_interval: 1s, scrape_timeout: 1s}\n${jobs}`)
  const web = tls ? [`--web.config.file=${await writeWebConfig(directory)}`] : []
  const listen = [`--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=${address}`]
  const child = spawn('prometheus', [`--config.file=${config}`, ...listen, ...web], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    await rm(directory, { recursive: true, force: true })
  }
  const url = `${tls ? 'https' : 'http'}://${address}/`
  const ca = tls ? await readFile(join(directory, 'own.crt'), 'utf8') : ''
  for (let tries = 0; tries < 300; tries++) {
    if (await isReady(url, ca)) return { url, ca, [Symbol.asyncDispose]: stop }
    await delay(100)
  }
  await stop()
  throw new Error('prometheus has not become ready within 30 s')
}

async function isReady(url: string, ca: string): Promise<boolean> {
  const { signal } = new AbortController()
  const answer = await queryPrometheus(url, '1', signal, ca === '' ? {} : { ...allowed, ca })
  return answer.type === 'value'
}

async function writeWebConfig(directory: string): Promise<string> {
  const [key, certificate] = [join(directory, 'own.key'), join(directory, 'own.crt')]
  const subject = ['-subj', '/CN=prometheus', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['-keyout', key, '-out', certificate, '-days', '2', '-nodes', ...subject]
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...made])
  const path = join(directory, 'web.yml')
  const served = `tls_server_config: {cert_file: own.crt, key_file: own.key}\n`
  await writeFile(path, `${served}basic_auth_users: {${allowed.user}: '${hashed}'}\n`)
  return path
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
