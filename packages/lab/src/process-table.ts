import { readdirSync, readFileSync } from 'node:fs'

/** A process id alone is reused by the kernel; with its start time and the machine's boot it names one process for good. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks between boot and the process's start. */
  readonly startTicks: number
  readonly bootId: string
}

const readOrUndefined = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const bootId = (): string => readOrUndefined('/proc/sys/kernel/random/boot_id')?.trim() ?? ''

/** Field 22 of /proc/PID/stat (proc(5)); the command's name before it may hold spaces and brackets. A zombie counts as gone. */
const startTicks = (pid: number): number | undefined => {
  const stat = readOrUndefined(`/proc/${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19])
}

/** Undefined when there is no such process. */
export const identify = (pid: number): ProcessIdentity | undefined => {
  const ticks = startTicks(pid)
  return ticks === undefined ? undefined : { pid, startTicks: ticks, bootId: bootId() }
}

export const isAlive = (identity: ProcessIdentity): boolean =>
  identity.bootId === bootId() && startTicks(identity.pid) === identity.startTicks

export const commandName = (pid: number): string | undefined => readOrUndefined(`/proc/${pid}/comm`)?.trim()

/** The process's id in each namespace it is in, outermost (ours) first. */
export const namespacedPids = (pid: number): number[] => {
  const line = readOrUndefined(`/proc/${pid}/status`)?.match(/^NSpid:\s*(.*)$/m)?.[1]
  return line === undefined ? [] : line.split(/\s+/).map(Number)
}

export const childrenOf = (pid: number): number[] => {
  // The file is there when the kernel was built with it; else everybody is asked for their parent.
  const listed = readOrUndefined(`/proc/${pid}/task/${pid}/children`)
  if (listed !== undefined) return listed.split(' ').filter(Boolean).map(Number)
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return all.map(Number).filter((candidate) => parentOf(candidate) === pid)
}

const parentOf = (pid: number): number | undefined => {
  const line = readOrUndefined(`/proc/${pid}/status`)?.match(/^PPid:\s*(\d+)$/m)?.[1]
  return line === undefined ? undefined : Number(line)
}

/** False when there is no such process. */
export const sendSignal = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
