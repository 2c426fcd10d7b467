import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findNginx } from '@berth/agent/gateway/nginx-install'
import { runCommand } from '@berth/agent/network/run-command'

export const run = promisify(execFile)

/** The gateway has a CPU of its own; load and members share the others. */
export const gatewayCpu = 0
export const loadCpus = availableParallelism() > 2 ? `1-${availableParallelism() - 1}` : '1'
export const connections = 64
export const bodyBytes = 200
/** What a browser sends. */
export const browserHeaders = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.9,de;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Referer: http://shop.example.com/',
  'Cookie: session=3f2a9c0d7b1e4f6a8c5d; theme=dark',
  'Cache-Control: max-age=0',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: same-origin',
]

export interface Sample {
  readonly requestsPerSecond: number
  readonly requests: number
  /** Answers that are no success, and connections that failed or were cut. */
  readonly failed: number
  /** Of the gateway's worker, for one request. */
  readonly cpuNs: number
  /** Share of its CPU that the worker used. */
  readonly busy: number
}

/** Requests to `port` for so many seconds as fast as they are answered; `headers` and `script` are those of wrk. */
export async function measureLoad(
  port: number,
  worker: number,
  seconds: number,
  { headers = [], script }: { readonly headers?: readonly string[]; readonly script?: string },
): Promise<Sample> {
  const before = await cpuNsOf(worker)
  const begin = process.hrtime.bigint()
  const given = [...headers.flatMap((header) => ['-H', header]), ...(script === undefined ? [] : ['-s', script])]
  const args = ['-c', loadCpus, 'wrk', '-t1', `-c${connections}`, `-d${seconds}`, ...given, `http://127.0.0.1:${port}/`]
  const { stdout } = await run('taskset', args)
  const elapsedNs = Number(process.hrtime.bigint() - begin)
  const used = (await cpuNsOf(worker)) - before
  const requests = numberIn(stdout, /(\d+) requests in/)
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []
  const failed =
    numberIn(stdout, /Non-2xx or 3xx responses: (\d+)/) + socketErrors.map(Number).reduce((a, b) => a + b, 0)
  return {
    requestsPerSecond: numberIn(stdout, /Requests\/sec:\s+([\d.]+)/),
    requests,
    failed,
    cpuNs: used / requests,
    busy: used / elapsedNs,
  }
}

const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)

/** 0 for a process that has ended. */
const cpuNsOf = async (pid: number): Promise<number> =>
  Number((await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => '0')).split(' ')[0])

/** The children of an nginx master, the oldest first. */
export async function workersOf(master: number): Promise<number[]> {
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8')
  return children.trim().split(' ').filter(Boolean).map(Number)
}

/** What the bench itself does (applying tables) must not disturb the gateway's CPU. Undone when disposed. */
export async function pinSelf(): Promise<AsyncDisposable> {
  const pin = (cpus: string) => run('taskset', ['-a', '-c', '-p', cpus, String(process.pid)])
  await pin(loadCpus)
  return { [Symbol.asyncDispose]: () => pin(`0-${availableParallelism() - 1}`).then(() => {}) }
}

/** The first lines of an nginx.conf. */
export const nginxBasics = (dir: string, cpuMask: string, workers = 1): string => `
  worker_processes ${workers};
  worker_cpu_affinity ${Array.from({ length: workers }, () => cpuMask).join(' ')};
  worker_rlimit_nofile 20000;
  pid ${dir}/nginx.pid;
  error_log ${dir}/error.log crit;
  events { worker_connections 19000; multi_accept on; }`

export interface PlainNginx extends AsyncDisposable {
  readonly pid: number
  /** Puts another configuration into force, as an administrator would. */
  reload(conf: string): Promise<void>
}

/** An nginx of its own, as a daemon; gone when disposed. */
export async function startPlainNginx(dir: string, conf: (dir: string) => string): Promise<PlainNginx> {
  await mkdir(dir, { recursive: true })
  const file = join(dir, 'nginx.conf')
  await writeFile(file, conf(dir))
  const { path } = await findNginx(runCommand)
  await run(path, ['-p', dir, '-c', file])
  const pid = Number(await readFile(join(dir, 'nginx.pid'), 'utf8'))
  return {
    pid,
    reload: async (text) => {
      await writeFile(file, text)
      process.kill(pid, 'SIGHUP')
    },
    [Symbol.asyncDispose]: () => runCommand(path, ['-p', dir, '-c', file, '-s', 'stop']).then(() => {}),
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
