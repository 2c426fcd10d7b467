import type { Engine } from '../engine/engine.ts'

const maxLines = 20
const maxLineLength = 500

/** The last lines that a container wrote since then. Best effort: its exit is reported with or without them. */
export async function readLogTail(
  engine: Pick<Engine, 'logs'>,
  containerId: string,
  sinceMs: number | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lines: string[] = []
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(5_000)])
    const options = { follow: false, tail: maxLines, ...(sinceMs === undefined ? {} : { sinceMs }), signal: limit }
    for await (const { line } of engine.logs(containerId, options)) {
      lines.push(line.length > maxLineLength ? `${line.slice(0, maxLineLength)}…` : line)
    }
  } catch {
    if (signal.aborted) throw signal.reason
  }
  return lines.slice(-maxLines)
}
