/** Docker's configuration in ./quickstart: live-restore is turned on, by consent, and turned back by `--stop`. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const dockerSocket = '/var/run/docker.sock'
const daemonFile = '/etc/docker/daemon.json'
const pidFile = '/var/run/docker.pid'
const key = 'live-restore'
const reloadTimeoutMs = 10_000

/** What daemon.json was before (null: there was none), and what was written instead. */
interface Change {
  readonly before: string | null
  readonly written: string
}

export interface DockerSetup {
  readonly stateDir: string
  readonly say: (text: string) => void
  /** Whether the operator allows it. */
  readonly ask: (question: string) => Promise<boolean>
}

const changeFile = (stateDir: string): string => join(stateDir, 'quickstart-docker.json')

/** Left by ./quickstart when the machine had no Docker Engine: then it is ours to configure. */
const isOwnInstallation = (stateDir: string): boolean => existsSync(join(stateDir, 'quickstart-installs-docker'))

/**
 * Without live-restore a restart of dockerd would take every container with it. Where no dockerd runs, Berth runs one with the option, and
 * only a file that says otherwise is in the way.
 */
export async function ensureLiveRestore({ stateDir, say, ask }: DockerSetup): Promise<void> {
  const before = existsSync(daemonFile) ? readFileSync(daemonFile, 'utf8') : null
  const settings = parseSettings(before)
  const runs = dockerAnswers()
  if (runs ? liveRestoreIsOn() : settings[key] !== false) return
  const question = `The Docker Engine here runs without live-restore, so its restart would end every container. Turn it on in ${daemonFile} (no restart needed)?`
  if (!isOwnInstallation(stateDir) && !(await ask(question)))
    throw new Error(
      `Berth needs live-restore; nothing was changed. Say -y, or set "${key}": true in ${daemonFile} yourself`,
    )
  const written = `${JSON.stringify({ ...settings, [key]: true }, null, 2)}\n`
  writeFileSync(changeFile(stateDir), JSON.stringify({ before, written } satisfies Change), { mode: 0o600 })
  mkdirSync(dirname(daemonFile), { recursive: true })
  writeFileSync(daemonFile, written)
  reloadDocker()
  if (runs && !(await becomes(true))) {
    await restoreLiveRestore(stateDir, () => undefined)
    throw new Error(
      `the Docker Engine here does not take "${key}" from ${daemonFile}, which is as it was before; see dockerd's log and its options`,
    )
  }
  say('     live-restore is on')
}

/** Gives Docker its configuration back; what somebody else has changed since stays. */
export async function restoreLiveRestore(stateDir: string, say: (text: string) => void): Promise<void> {
  if (!existsSync(changeFile(stateDir))) return
  const { before, written }: Change = JSON.parse(readFileSync(changeFile(stateDir), 'utf8'))
  const now = existsSync(daemonFile) ? readFileSync(daemonFile, 'utf8') : null
  if (now !== null && parseSettings(before)[key] !== true) await turnOff(parseSettings(now))
  if (now === written) write(before)
  else if (now !== null) write(withFormerValue(now, before))
  rmSync(changeFile(stateDir))
  if (now !== null) say(`${daemonFile} is as it was before${now === written ? '' : ', but for what was changed since'}`)
}

/** A dockerd that reads a file without the setting keeps the one it has, so it has to read the opposite once. */
async function turnOff(settings: Record<string, unknown>): Promise<void> {
  if (!dockerAnswers() || !liveRestoreIsOn()) return
  write(`${JSON.stringify({ ...settings, [key]: false }, null, 2)}\n`)
  reloadDocker()
  await becomes(false)
}

function write(text: string | null): void {
  if (text === null) rmSync(daemonFile, { force: true })
  else writeFileSync(daemonFile, text)
}

function withFormerValue(now: string, before: string | null): string {
  const { [key]: _, ...others } = parseSettings(now)
  const former = parseSettings(before)
  return `${JSON.stringify(key in former ? { ...others, [key]: former[key] } : others, null, 2)}\n`
}

function parseSettings(text: string | null): Record<string, unknown> {
  if (text === null || text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${daemonFile} is no JSON, and dockerd does not start with it either: ${(error as Error).message}`)
  }
}

export const dockerAnswers = (): boolean => docker('version').status === 0

const liveRestoreIsOn = (): boolean => docker('info', '--format', '{{.LiveRestoreEnabled}}').stdout.trim() === 'true'

async function becomes(on: boolean): Promise<boolean> {
  const deadline = performance.now() + reloadTimeoutMs
  while (liveRestoreIsOn() !== on) {
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return true
}

/** dockerd reads live-restore again on SIGHUP. */
function reloadDocker(): void {
  if (!existsSync(pidFile) || !dockerAnswers()) return
  process.kill(Number(readFileSync(pidFile, 'utf8').trim()), 'SIGHUP')
}

function docker(...args: readonly string[]): { readonly status: number | null; readonly stdout: string } {
  const { status, stdout } = spawnSync('docker', ['-H', `unix://${dockerSocket}`, ...args], { encoding: 'utf8' })
  return { status, stdout: stdout ?? '' }
}
