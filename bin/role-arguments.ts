import { parseArgs } from 'node:util'
import pino, { type Logger } from 'pino'
import { BerthError, closest, messageOf } from '../packages/core/src/index.ts'
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

export interface RoleWords {
  /** For messages: `berth server`. */
  readonly command: string
  readonly options?: readonly string[]
  /** What may stand in the first place besides options; absent: nothing, so that a mistyped word starts no server. */
  readonly tasks?: readonly string[]
}

const shared = {
  'state-dir': { type: 'string', default: defaultStateDir },
  'run-dir': { type: 'string', default: defaultRunDir },
  'log-level': { type: 'string', default: process.env.BERTH_LOG_LEVEL ?? 'info' },
} as const

/** Arguments that all roles share: where the state is, and how much is logged. Throws `usage.*`. */
export function readRoleArguments(args: readonly string[], words: RoleWords): RoleArguments {
  const { values, positionals } = parse(args, words)
  refuseUnknownTask(positionals[0], words)
  const text = values as Record<string, string | undefined>
  const paths = hostPaths(text['state-dir'] ?? defaultStateDir, text['run-dir'] ?? defaultRunDir)
  const log = pino({ level: text['log-level'] ?? 'info', timestamp: pino.stdTimeFunctions.isoTime }, logDestination(1))
  return { paths, config: readHostConfig(paths.config), log, values: text, words: positionals }
}

function parse(args: readonly string[], { command, options: own = [] }: RoleWords) {
  const options = { ...Object.fromEntries(own.map((name) => [name, { type: 'string' as const }])), ...shared }
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    const option = /'(--?[^'\s=]+)/.exec(messageOf(error))?.[1] ?? ''
    const names = Object.keys(options).map((name) => `--${name}`)
    if ((error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
      throw new BerthError('usage.option', `${command}: ${option} needs a value`)
    const meant = closest(option, names)
    const hint = meant === undefined ? `there are: ${names.join(', ')}` : `did you mean ${meant}?`
    throw new BerthError('usage.option', `${command} has no option ${option}; ${hint}`)
  }
}

function refuseUnknownTask(word: string | undefined, { command, tasks = [] }: RoleWords): void {
  if (word === undefined || tasks.includes(word)) return
  const meant = closest(word, tasks)
  const hint = meant === undefined ? `write ${command} with options only` : `did you mean ${command} ${meant}?`
  throw new BerthError('usage.word', `${command} takes no ${word}; ${hint}`)
}
