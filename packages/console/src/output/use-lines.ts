import type { LogLine } from '@berth/api/endpoints'
import { useCallback, useEffect, useRef, useState } from 'react'
import { goToLogin, needsLogin } from '../live/session.tsx'
import { backoffMs, delay } from '../store/backoff.ts'
import { LineBuffer, type NumberedLine } from './line-buffer.ts'

export type LinesState = 'loading' | 'following' | 'lost' | 'ended'

export interface Lines {
  readonly lines: readonly NumberedLine[]
  readonly state: LinesState
  readonly clear: () => void
}

/** Opens the stream; `since` is the time of the newest line that is known, after a broken connection. */
export type OpenLines = (since: number | undefined, signal: AbortSignal) => AsyncIterable<LogLine>

/** Follows a stream of lines; what arrives within one frame is shown together. */
export function useLines(open: OpenLines): Lines {
  const buffer = useRef(new LineBuffer())
  const [shown, setShown] = useState<{ lines: readonly NumberedLine[]; state: LinesState }>({
    lines: [],
    state: 'loading',
  })
  useEffect(() => {
    const abort = new AbortController()
    const lines = new LineBuffer()
    buffer.current = lines
    const show = (state: LinesState) => setShown({ lines: lines.lines, state })
    show('loading')
    void follow(open, lines, show, abort.signal)
    return () => abort.abort()
  }, [open])
  const clear = useCallback(() => {
    buffer.current.clear()
    setShown((before) => ({ ...before, lines: [] }))
  }, [])
  return { ...shown, clear }
}

async function follow(
  open: OpenLines,
  buffer: LineBuffer,
  show: (state: LinesState) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await readAll(open, buffer, signal, () => {
        failures = 1
        show('following')
      })
      return signal.aborted ? undefined : show('ended')
    } catch (error) {
      if (signal.aborted) return
      if (needsLogin(error)) return goToLogin()
      show('lost')
      await delay(backoffMs(failures, Math.random()), signal).catch(() => undefined)
    }
  }
}

async function readAll(open: OpenLines, buffer: LineBuffer, signal: AbortSignal, show: () => void): Promise<void> {
  const known = buffer.keysAtEnd()
  let waiting: LogLine[] = []
  let frame: number | undefined
  const flush = () => {
    frame = undefined
    if (signal.aborted) return
    buffer.appendAfter(waiting, known)
    waiting = []
    show()
  }
  for await (const line of open(buffer.lastAt, signal)) {
    waiting.push(line)
    frame ??= requestAnimationFrame(flush)
  }
  if (frame !== undefined) cancelAnimationFrame(frame)
  flush()
}
