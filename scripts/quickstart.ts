/** The part of ./quickstart that is not shell: Docker's configuration, base images, `berth up`, the example, and the way back. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { createServer, type ListenOptions } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { makeBaseImages } from '../packages/lab/src/base-image.ts'
import { dockerAnswers, dockerSocket, ensureLiveRestore, restoreLiveRestore } from './quickstart-docker.ts'

const root = join(import.meta.dirname, '..')
const app = 'hello'

interface Options {
  readonly berth: string
  readonly stateDir: string
  readonly runDir: string
  readonly yes: boolean
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    berth: { type: 'string', default: join(root, 'dist/berth') },
    'state-dir': { type: 'string', default: '/var/lib/berth' },
    'run-dir': { type: 'string', default: '/run/berth' },
    yes: { type: 'boolean', default: false },
  },
})
const options: Options = {
  berth: values.berth,
  stateDir: values['state-dir'],
  runDir: values['run-dir'],
  yes: values.yes,
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

const berth = (args: readonly string[]): string =>
  run(
    options.berth,
    args[0] === 'up' || args[0] === 'down'
      ? [...args, '--state-dir', options.stateDir, '--run-dir', options.runDir]
      : args,
  )

async function start(): Promise<void> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })
  say('3/5  Docker Engine and base images')
  if (!dockerAnswers() && existsSync('/run/systemd/system')) run('systemctl', ['start', 'docker'])
  await ensureLiveRestore({ stateDir: options.stateDir, say, ask: asked })
  say('4/5  Berth on this machine')
  berth(['up', ...(await portArguments())])
  for (const image of await makeBaseImages(`unix://${dockerSocket}`))
    say(`     ${image.tag} ${image.loaded ? 'made' : 'was there'}`)
  say(`5/5  ${app}, from a git commit`)
  const repository = makeRepository()
  if (isDeployed()) say(`     it is deployed already; what has changed since is deployed by: berth deploy ${app}`)
  else berth(['deploy', app, '--repository', repository, '--environment', 'production'])
  finish(repository)
}

async function asked(question: string): Promise<boolean> {
  if (options.yes) return true
  if (process.stdin.isTTY !== true) return false
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question(`${question} [y/N] `)
  prompt.close()
  return /^y(es)?$/i.test(answer.trim())
}

/** Those of an earlier run, else the first that are free. */
async function portArguments(): Promise<string[]> {
  const file = join(options.stateDir, 'host.json')
  if (existsSync(file)) {
    const { gateway, server } = JSON.parse(readFileSync(file, 'utf8'))
    if (server === undefined) throw new Error(`this machine is a node of another cluster already, says ${file}`)
    const listen = ['--listen', server.listen, '--agent-listen', server.agentListen]
    return ['--http-port', `${gateway.httpPort}`, '--https-port', `${gateway.httpsPort}`, ...listen]
  }
  const http = await freePort("the gateway's HTTP", [80, 8080, 8081, 18080])
  const https = await freePort("the gateway's HTTPS", [443, 8443, 18443])
  const api = await freePort('API and console', [7600, 7610, 17600])
  const agents = await freePort('the agents', [7601, 7611, 17601])
  const listen = ['--listen', `0.0.0.0:${api}`, '--agent-listen', `0.0.0.0:${agents}`]
  return ['--http-port', `${http}`, '--https-port', `${https}`, ...listen]
}

async function freePort(purpose: string, candidates: readonly number[]): Promise<number> {
  const [preferred] = candidates
  for (const port of candidates) {
    if (!(await isFree(port))) continue
    if (port !== preferred) say(`     port ${preferred} is taken: ${purpose} at ${port}`)
    return port
  }
  throw new Error(`none of the ports ${candidates.join(', ')} is free for ${purpose}; end what holds one of them`)
}

const isFree = async (port: number): Promise<boolean> =>
  (await canListen({ port, host: '0.0.0.0' })) && (await canListen({ port, host: '::', ipv6Only: true }))

function canListen(options: ListenOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    // Anything else says that this machine has no IPv6.
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    server.listen(options, () => server.close(() => resolve(true)))
  })
}

/** The name appears when everything is in it, so that an interrupted run leaves no half of a repository. */
function makeRepository(): string {
  const path = join(options.stateDir, 'quickstart', app)
  if (existsSync(path)) return path
  const next = `${path}.new`
  rmSync(next, { recursive: true, force: true })
  mkdirSync(dirname(next), { recursive: true })
  cpSync(join(root, 'examples', app), next, { recursive: true })
  const git = (...args: readonly string[]) => run('git', ['-C', next, ...args])
  git('init', '--quiet', '--initial-branch', 'main')
  if (!hasIdentity()) {
    git('config', 'user.name', 'Berth')
    git('config', 'user.email', 'berth@localhost')
  }
  git('add', '--all')
  git('-c', 'commit.gpgsign=false', 'commit', '--quiet', '--message', 'Hello from Berth')
  renameSync(next, path)
  return path
}

/** Without one git commits nothing, and the first thing to try is a commit. */
const hasIdentity = (): boolean =>
  ['user.name', 'user.email'].every((key) => spawnSync('git', ['config', '--global', key]).status === 0)

/** Not whether it serves: after a power cut its instances only come back, and the newest commit may be one that does not work. */
const isDeployed = (): boolean =>
  (JSON.parse(berth(['apps', '-o', 'json'])) as { name: string; pools: { name: string; release?: string }[] }[]).some(
    ({ name, pools }) => name === app && pools.some((pool) => pool.name === 'production' && pool.release !== undefined),
  )

function finish(repository: string): void {
  const tokens = JSON.parse(berth(['token', 'ls', '-o', 'json'])) as { name: string }[]
  if (tokens.some((each) => each.name === 'quickstart')) berth(['token', 'rm', 'quickstart', '--yes'])
  const token = berth(['token', 'create', 'quickstart', '--role', 'admin', '-o', 'template={token}']).trim()
  const status = JSON.parse(berth(['status', '-o', 'json']))
  const url = berth(['open', app, '--print']).trim()
  process.stdout.write(`
App: ${url}
Console: ${status.consoleUrl}/login#token=${token}

The console's certificate is from Berth's own authority, so a browser asks once whether to trust it.
What to try next (berth is ${options.berth}; put it on your PATH):
  ${'berth ps'.padEnd(32)}what runs
  ${`berth logs -f ${app}`.padEnd(32)}its output
  ${`berth scale ${app}/web 4`.padEnd(32)}more of it
  edit ${repository}/server.js, commit, then: berth deploy ${app}
  ${`berth rollback ${app}`.padEnd(32)}back again
  ${'berth exec -it web-1 sh'.padEnd(32)}a shell in an instance (berth ps has the names)
  ${'./quickstart --stop'.padEnd(32)}ends and removes all of this
The guide: docs/guides/first-app.md
`)
}

async function stop(): Promise<void> {
  if (existsSync(join(options.stateDir, 'host.json'))) berth(['down', '--all', '--purge', '--yes'])
  await restoreLiveRestore(options.stateDir, say)
  for (const dir of [options.stateDir, options.runDir]) removeFolder(dir)
  say('nothing of it is left; Debian packages, node_modules and dist stay')
}

/** A folder that is a mount of its own can only be emptied. */
function removeFolder(dir: string): void {
  if (!existsSync(dir)) return
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true })
  try {
    rmdirSync(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
  }
}

try {
  await (positionals[0] === 'stop' ? stop() : start())
} catch (error) {
  // What a command had to say stands above already.
  const { status, message } = error as { status?: number; message: string }
  say(
    status === undefined
      ? `error: ${message}`
      : 'quickstart stopped at the step above; mend what it says and run it again',
  )
  process.exitCode = 1
}
