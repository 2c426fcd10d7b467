import { BerthError, messageOf } from '@berth/core'
import { Command, CommanderError } from 'commander'
import { registerAddressPools } from './commands/address-pools.ts'
import { registerAdmin } from './commands/admin.ts'
import { registerAdvise } from './commands/advise.ts'
import { registerApprovalRules } from './commands/approval-rules.ts'
import { registerBackup } from './commands/backup.ts'
import { interruption } from './commands/command.ts'
import { registerCompletion } from './commands/completion.ts'
import { registerContexts } from './commands/context.ts'
import { registerDeploy } from './commands/deploy.ts'
import { registerDomains } from './commands/domains.ts'
import { registerExec } from './commands/exec.ts'
import { registerExternals } from './commands/externals.ts'
import { registerFreeze } from './commands/freeze.ts'
import { registerGateway } from './commands/gateway.ts'
import { registerGroups } from './commands/groups.ts'
import { registerHooks } from './commands/hooks.ts'
import { registerImages } from './commands/image.ts'
import { registerLifecycle } from './commands/lifecycle.ts'
import { registerListings } from './commands/listings.ts'
import { registerLogs } from './commands/logs.ts'
import { registerMisc } from './commands/misc.ts'
import { registerNet } from './commands/net.ts'
import { registerPipeline } from './commands/pipeline.ts'
import { registerPlanning } from './commands/planning.ts'
import { registerProfiles } from './commands/profiles.ts'
import { registerPrometheus } from './commands/prometheus.ts'
import { registerDiff, registerPromote } from './commands/promote.ts'
import { registerPs } from './commands/ps.ts'
import { registerPublish } from './commands/publish.ts'
import { registerRebalance } from './commands/rebalance.ts'
import { registerRegistries } from './commands/registry.ts'
import { registerResize } from './commands/resize.ts'
import { registerRollout } from './commands/rollout.ts'
import { registerRoute } from './commands/route.ts'
import { registerRun } from './commands/run.ts'
import { registerPlacing } from './commands/scheduling.ts'
import { registerServers } from './commands/servers.ts'
import { registerSpec } from './commands/spec.ts'
import { registerSubscriptions } from './commands/subscriptions.ts'
import { registerTop } from './commands/top.ts'
import { Exit, exitCode } from './exit-code.ts'
import { withOtherWords } from './other-tools.ts'
import { guardOutput } from './output/guard-output.ts'
import { createStyle, wantsColor } from './output/style.ts'

export interface MainOptions {
  readonly version: string
  /** Commands that need more of this machine than the API (`up`, `down`, `node join`). */
  readonly register?: (program: Command) => void
}

export function createProgram({ version, register }: MainOptions): Command {
  const program = new Command('berth')
    .description('Turns a set of Linux machines into one place to run services.')
    .version(version, '-V, --version')
    .enablePositionalOptions()
    .option('-c, --context <name>', 'server to work with (berth context ls)')
    .option('-o, --output <form>', 'table, wide, json, yaml, name or template=…')
    .option('-y, --yes', 'do not ask')
    .option('--no-color', 'without colour')
    .showSuggestionAfterError()
    .configureOutput({ outputError: (line, write) => write(withOtherWords(line)) })
    .configureHelp({ sortSubcommands: true })
    .exitOverride()
  for (const each of [
    registerSpec,
    registerDeploy,
    registerPlanning,
    registerPs,
    registerListings,
    registerRoute,
    registerRollout,
    registerApprovalRules,
    registerHooks,
    registerPrometheus,
    registerFreeze,
    registerLogs,
    registerExec,
    registerRun,
  ])
    each(program)
  for (const each of [
    registerLifecycle,
    registerRebalance,
    registerPublish,
    registerResize,
    registerAdvise,
    registerTop,
    registerMisc,
    registerBackup,
    registerContexts,
    registerAdmin,
    registerImages,
    registerRegistries,
    registerGroups,
    registerProfiles,
    registerExternals,
    registerPipeline,
    registerPromote,
    registerDiff,
    registerDomains,
    registerSubscriptions,
    registerNet,
    registerGateway,
    registerAddressPools,
    registerPlacing,
    registerServers,
    registerCompletion,
  ])
    each(program)
  register?.(program)
  for (const command of everyCommand(program))
    if (command !== program) command.exitOverride().copyInheritedSettings(program)
  return program
}

/** `-o`, `-y` and the like are understood after the command's name as well. */
function* everyCommand(command: Command): Generator<Command> {
  yield command
  for (const each of command.commands) yield* everyCommand(each)
}

/** Runs one command line (without `node` and the script); returns the exit code. */
export async function main(args: readonly string[], options: MainOptions): Promise<number> {
  guardOutput([process.stdout, process.stderr], (code) => process.exit(code))
  const program = createProgram(options)
  shareGlobalOptions(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode.done
  } catch (error) {
    return report(error, asksForJson(args))
  }
}

const commandLine = (command: Command): string =>
  command.parent === null ? command.name() : `${commandLine(command.parent)} ${command.name()}`

function shareGlobalOptions(program: Command): void {
  for (const command of everyCommand(program)) {
    command.showHelpAfterError(`usage: ${commandLine(command)} ${command.usage()}`)
    if (command === program || command.name() === '__complete') continue
    for (const option of program.options) {
      const taken = command.options.some(
        (each) => each.long === option.long || (each.short !== undefined && each.short === option.short),
      )
      if (!taken && option.long !== '--version') command.addOption(option)
    }
  }
}

function report(error: unknown, asJson: boolean): number {
  if (error instanceof Exit) return error.code
  if (interruption.aborted && error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('interrupted\n')
    return exitCode.interrupted
  }
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage
  if (asJson && error instanceof BerthError) process.stderr.write(`${errorDocument(error)}\n`)
  else process.stderr.write(`${errorText(error)}\n`)
  if (error instanceof BerthError) {
    if (error.code === 'usage.interrupted') return exitCode.interrupted
    if (error.code.startsWith('usage.')) return exitCode.usage
  } else if (process.env.BERTH_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return exitCode.failed
}

function errorText(error: unknown): string {
  const style = createStyle(wantsColor(process.stderr, process.env))
  const tail = error instanceof BerthError ? error.details.logTail : undefined
  const lines = Array.isArray(tail) ? tail.map((line) => `\n    ${line}`) : []
  return `${style.red('error')}: ${messageOf(error)}${lines.join('')}`
}

/** As the API answers it (`docs/errors.md`), for scripts. */
const errorDocument = ({ code, message, retryable, details }: BerthError): string =>
  JSON.stringify({ error: { code, message, retryable, details } })

const asksForJson = (args: readonly string[]): boolean =>
  args.some(
    (word, at) =>
      word === '-ojson' || word === '--output=json' || (word === 'json' && /^(-o|--output)$/.test(args[at - 1] ?? '')),
  )
