import { proposeEntrypointName } from '@berth/core'
import { commandLine, type DraftEntrypoint, job } from './draft.ts'
import type { SourceFiles } from './source-files.ts'

export interface Processes {
  readonly entrypoints: readonly DraftEntrypoint[]
  readonly before: readonly string[]
}

/** `web` is told its port by PORT; `release` runs before each rollout. */
export function readProcfile(files: SourceFiles, port: number): Processes | undefined {
  const text = files.read('Procfile')
  if (text === undefined) return undefined
  const lines = [...text.matchAll(/^([A-Za-z0-9_-]+):[ \t]*(\S.*)$/gm)]
  const entrypoints = new Map<string, DraftEntrypoint>()
  for (const [, written = '', line = ''] of lines) {
    const name = proposeEntrypointName(written)
    if (name === undefined || entrypoints.has(name)) continue
    if (name === 'release') entrypoints.set(name, job(name, line, 'Runs to its end before each rollout.'))
    else entrypoints.set(name, { name, command: commandLine(line), ...(name === 'web' ? { ports: [port] } : {}) })
  }
  if (entrypoints.size === 0) return undefined
  return { entrypoints: [...entrypoints.values()], before: entrypoints.has('release') ? ['release'] : [] }
}
