import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

export interface Measured {
  readonly code: number
  readonly stderr: string
  readonly seconds: number
  /** Processor time, user and system, until shortly before its end. */
  readonly cpuSeconds: number
  /** The most that it ever had. */
  readonly peakRssBytes: number
}

const lookMs = 100

/** Runs a program to its end, and looks at what it takes. */
export async function measuredRun(
  argv: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<Measured> {
  const [file = '', ...args] = argv
  const startedAt = performance.now()
  const { env, signal } = options
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'], signal })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  let taken = { cpuSeconds: 0, peakRssBytes: 0 }
  const timer = setInterval(() => {
    taken = usageOf(child.pid ?? 0) ?? taken
  }, lookMs)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return { code: code ?? 255, stderr, seconds: (performance.now() - startedAt) / 1000, ...taken }
  } finally {
    clearInterval(timer)
  }
}

/** Of proc(5); undefined when it has ended. */
function usageOf(pid: number): { readonly cpuSeconds: number; readonly peakRssBytes: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    if (peak === undefined) return undefined
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, peakRssBytes: Number(peak) * 1024 }
  } catch {
    return undefined
  }
}
