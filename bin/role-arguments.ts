import { parseArgs } from 'node:util'
import pino, { type Logger } from 'pino'
import {
  defaultRunDir,
  defaultStateDir,
  type HostConfig,
  type HostPaths,
  hostPaths,
  readHostConfig,
} from '../packages/host/src/index.ts'
import { logDestination } from './log-destination.ts'

export interface RoleArguments {
  readonly paths: HostPaths
  /** What `berth up` or `berth node join` wrote. */
  readonly config: HostConfig | undefined
  readonly log: Logger
  readonly values: Readonly<Record<string, string | undefined>>
  readonly words: readonly string[]
}

/** Arguments that all roles share: where the state is, and how much is logged. */
export function readRoleArguments(args: readonly string[], own: readonly string[] = []): RoleArguments {
  const options = Object.fromEntries(own.map((name) => [name, { type: 'string' as const }]))
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...options,
      'state-dir': { type: 'string', default: defaultStateDir },
      'run-dir': { type: 'string', default: defaultRunDir },
      'log-level': { type: 'string', default: process.env.BERTH_LOG_LEVEL ?? 'info' },
    },
  })
  const text = values as Record<string, string | undefined>
  const paths = hostPaths(text['state-dir'] ?? defaultStateDir, text['run-dir'] ?? defaultRunDir)
  const log = pino({ level: text['log-level'] ?? 'info', timestamp: pino.stdTimeFunctions.isoTime }, logDestination(1))
  return { paths, config: readHostConfig(paths.config), log, values: text, words: positionals }
}
