import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { HostPaths } from '../host-paths.ts'
import { lastWords } from '../last-words.ts'
import { readLinkNote } from '../link-note.ts'

/** As the agent has written it; see there. */
export interface UpgradeNote {
  readonly state: 'prepared' | 'switching' | 'done' | 'rolled-back'
  readonly from: string
  readonly to: string
  readonly sha256: string
  readonly at: number
  readonly why?: string
}

export interface UpgradeOptions {
  readonly paths: HostPaths
  /** The executable; the new one is beside it as `<program>.new`, the old one stays as `<program>.old`. */
  readonly program: string
  /** Starts netd and the agent anew, whatever keeps them running, and not the containers. */
  readonly restart: () => Promise<void>
  /** What is to be done when the new one has proved good. */
  readonly settle: () => Promise<void>
  readonly log: (message: string) => void
  readonly healthyWithinMs?: number
  /** So long the new agent has to stay the same process after it was heard of. */
  readonly steadyMs?: number
  readonly signal: AbortSignal
}

const lookMs = 100

/**
 * Puts another executable in place and watches over it: when the agent has not come back, and been heard of by a server, in time, the old
 * one is put back. Run by a process of its own, for the agent ends on the way. Containers, names and traffic go on.
 */
export async function upgradeHere(options: UpgradeOptions): Promise<UpgradeNote> {
  const { paths, program, log } = options
  const file = join(paths.stateDir, 'agent', 'upgrade.json')
  const note = JSON.parse(readFileSync(file, 'utf8')) as UpgradeNote
  const write = (change: Partial<UpgradeNote>): UpgradeNote => {
    const next = { ...note, ...change }
    writeFileSync(`${file}.next`, JSON.stringify(next), { mode: 0o600 })
    renameSync(`${file}.next`, file)
    return next
  }
  write({ state: 'switching' })
  const old = `${program}.old`
  rmSync(old, { force: true })
  linkSync(program, old)
  renameSync(`${program}.new`, program)
  log(`${program} is version ${note.to} now; restarting the agent`)
  const why = await tryOut(options, note)
  if (why === undefined) {
    await options.settle()
    log(`version ${note.to} is healthy`)
    return write({ state: 'done' })
  }
  log(`version ${note.to} is not healthy: ${why}; going back to ${note.from}`)
  rmSync(`${program}.back`, { force: true })
  linkSync(old, `${program}.back`)
  renameSync(`${program}.back`, program)
  const done = write({ state: 'rolled-back', why })
  await options.restart()
  return done
}

/** Undefined when all is well. */
async function tryOut(options: UpgradeOptions, { to }: UpgradeNote): Promise<string | undefined> {
  const { paths, signal, healthyWithinMs = 60_000, steadyMs = 3_000 } = options
  const since = Date.now()
  const logSize = sizeOf(agentLog(paths))
  try {
    await options.restart()
    const deadline = performance.now() + healthyWithinMs
    let first: { pid: number; at: number } | undefined
    while (performance.now() < deadline) {
      signal.throwIfAborted()
      const heard = readLinkNote(paths)
      const isNew = heard !== undefined && heard.version === to && heard.at >= since
      if (isNew && heard.pid !== first?.pid) first = { pid: heard.pid, at: performance.now() }
      if (isNew && first !== undefined && isAlive(first.pid) && performance.now() - first.at >= steadyMs)
        return undefined
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
    const what = first === undefined ? 'no server has heard of it' : 'it did not stay up'
    return `${what} within ${healthyWithinMs / 1000} s${wordsSince(paths, logSize)}`
  } catch (error) {
    return messageOf(error)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const agentLog = ({ logs }: HostPaths): string => join(logs, 'agent.log')

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** What the agent has said since its log was so long; of a log that was begun anew, all. */
function wordsSince(paths: HostPaths, size: number): string {
  try {
    const log = readFileSync(agentLog(paths))
    const words = lastWords(log.subarray(log.length < size ? 0 : size).toString('utf8'))
    return words === '' ? '' : `; its last words: ${words}`
  } catch {
    return ''
  }
}
