/** The part of ./quickstart that is not shell: Docker's configuration, base images, `berth up`, the example, and the way back. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { makeBaseImages } from '../packages/lab/src/base-image.ts'

const root = join(import.meta.dirname, '..')
const socket = '/var/run/docker.sock'
const daemonFile = '/etc/docker/daemon.json'
const app = 'hello'

interface Options {
  readonly berth: string
  readonly stateDir: string
  readonly runDir: string
  readonly yes: boolean
}

/** What was there before, so that `--stop` can put it back. */
interface Before {
  readonly daemonJson?: string | null
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
const noteFile = join(options.stateDir, 'quickstart.json')

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

const dockerAnswers = (): boolean =>
  spawnSync('docker', ['-H', `unix://${socket}`, 'version'], { stdio: 'ignore' }).status === 0

async function start(): Promise<void> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })
  say('3/5  Docker Engine and base images')
  if (dockerAnswers()) await ensureLiveRestore()
  else if (existsSync('/run/systemd/system')) run('systemctl', ['start', 'docker'])
  say('4/5  Berth on this machine')
  const httpPort = await freePort([80, 8080, 8081, 18080])
  const httpsPort = await freePort([443, 8443, 18443])
  berth(['up', '--http-port', String(httpPort), '--https-port', String(httpsPort)])
  for (const image of await makeBaseImages(`unix://${socket}`))
    say(`     ${image.tag} ${image.loaded ? 'made' : 'was there'}`)
  say(`5/5  ${app}, from a git commit`)
  const repository = makeRepository()
  berth(['deploy', app, '--repository', repository, '--environment', 'production'])
  finish(repository)
}

/** Without live-restore a restart of dockerd would take every container with it. */
async function ensureLiveRestore(): Promise<void> {
  const info = run('docker', ['-H', `unix://${socket}`, 'info', '--format', '{{.LiveRestoreEnabled}}']).trim()
  if (info === 'true') return
  const question = `The Docker Engine here runs without live-restore, so its restart would end every container. Turn it on in ${daemonFile} (no restart needed)?`
  if (!options.yes && !(await asked(question))) {
    throw new Error(
      'Berth needs live-restore; nothing was changed. Say -y, or set "live-restore": true in /etc/docker/daemon.json yourself',
    )
  }
  const before = existsSync(daemonFile) ? readFileSync(daemonFile, 'utf8') : null
  writeFileSync(noteFile, JSON.stringify({ daemonJson: before } satisfies Before), { mode: 0o600 })
  mkdirSync('/etc/docker', { recursive: true })
  writeFileSync(daemonFile, `${JSON.stringify({ ...JSON.parse(before ?? '{}'), 'live-restore': true }, null, 2)}\n`)
  reloadDocker()
  say('     live-restore is on')
}

async function asked(question: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) return false
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question(`${question} [y/N] `)
  prompt.close()
  return /^y(es)?$/i.test(answer.trim())
}

/** dockerd reads live-restore again on SIGHUP. */
function reloadDocker(): void {
  const pidFile = '/var/run/docker.pid'
  if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'utf8').trim()), 'SIGHUP')
}

async function freePort(candidates: readonly number[]): Promise<number> {
  const held = heldPorts()
  for (const port of candidates) if (held.has(port) || (await isFree(port))) return port
  throw new Error(`none of the ports ${candidates.join(', ')} is free for the gateway; end what holds one of them`)
}

/** Ports of a gateway that an earlier quickstart has started. */
function heldPorts(): Set<number> {
  const file = join(options.stateDir, 'host.json')
  if (!existsSync(file)) return new Set()
  const { gateway } = JSON.parse(readFileSync(file, 'utf8'))
  return new Set([gateway.httpPort, gateway.httpsPort])
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
  })
}

function makeRepository(): string {
  const path = join(options.stateDir, 'quickstart', app)
  if (existsSync(join(path, '.git'))) return path
  mkdirSync(path, { recursive: true })
  cpSync(join(root, 'examples', app), path, { recursive: true })
  const identity = ['-c', 'user.name=Berth', '-c', 'user.email=berth@localhost', '-c', 'commit.gpgsign=false']
  run('git', ['-C', path, 'init', '--quiet', '--initial-branch', 'main'])
  run('git', ['-C', path, 'add', '--all'])
  run('git', ['-C', path, ...identity, 'commit', '--quiet', '--message', 'Hello from Berth'])
  return path
}

function finish(repository: string): void {
  const tokens = JSON.parse(berth(['token', 'ls', '-o', 'json'])) as { name: string }[]
  if (tokens.some((each) => each.name === 'quickstart')) berth(['token', 'rm', 'quickstart', '--yes'])
  const token = berth(['token', 'create', 'quickstart', '--role', 'admin']).trim()
  const status = JSON.parse(berth(['status', '-o', 'json']))
  const url = berth(['open', app, '--print']).trim()
  process.stdout.write(`
App: ${url}
Console: ${status.consoleUrl}#token=${token}

The console's certificate is from Berth's own authority, so a browser asks once whether to trust it.
What to try next (berth is ${options.berth}; put it on your PATH):
  berth ps                          what runs
  berth logs -f ${app}              its output
  berth scale ${app}/web 4          more of it
  edit ${repository}/server.js, commit, then: berth deploy ${app}
  berth rollback ${app}             back again
  berth exec -it web-1 sh           a shell in an instance
  ./quickstart --stop               ends and removes all of this
The guide: docs/guides/first-app.md
`)
}

async function stop(): Promise<void> {
  const before: Before = existsSync(noteFile) ? JSON.parse(readFileSync(noteFile, 'utf8')) : {}
  if (existsSync(join(options.stateDir, 'host.json'))) berth(['down', '--all', '--purge', '--yes'])
  if (before.daemonJson !== undefined) {
    if (before.daemonJson === null) rmSync(daemonFile, { force: true })
    else writeFileSync(daemonFile, before.daemonJson)
    reloadDocker()
    say(`${daemonFile} is as it was before`)
  }
  for (const dir of [options.stateDir, options.runDir]) removeFolder(dir)
  say('nothing of it is left; Debian packages and node_modules stay')
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
