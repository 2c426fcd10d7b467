import { readFileSync } from 'node:fs'

/** A process, told apart from a later one with the same number by its start time. */
export interface ProcessId {
  readonly pid: number
  /** Clock ticks since boot (field 22 of /proc/<pid>/stat). */
  readonly startTicks: number
}

/** undefined when there is no such process, or it is only waiting to be reaped. */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name stands in parentheses and may hold anything, so count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return { pid, startTicks: Number(fields[19]) }
  } catch {
    return undefined
  }
}

export const isAlive = (id: ProcessId): boolean => identify(id.pid)?.startTicks === id.startTicks

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false
  try {
    process.kill(id.pid, signal)
    return true
  } catch {
    return false
  }
}

/** SIGTERM, then SIGKILL after the grace; resolves when the process is gone. */
export async function endProcess(id: ProcessId, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs
  signalProcess(id, 'SIGTERM')
  while (isAlive(id) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 25))
  signalProcess(id, 'SIGKILL')
  while (isAlive(id)) await new Promise((resolve) => setTimeout(resolve, 10))
}
