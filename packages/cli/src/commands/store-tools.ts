import type { ErrorBody } from '@berth/api'
import { BerthError } from '@berth/core'
import { hostPaths, readHostConfig } from '@berth/host'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit } from '../exit-code.ts'
import { formatBytes } from '../output/format.ts'
import { action } from './command.ts'
import { folders } from './host-options.ts'
import { folderArguments, type Program, runRole } from './run-role.ts'
import { hostStore, type StoreOptions, storeArguments, withStoreOptions } from './store-options.ts'

interface ToolOptions extends StoreOptions {
  readonly stateDir: string
  readonly runDir: string
  readonly passphraseFile?: string
  readonly withoutKeys?: boolean
  readonly from?: string
  readonly to?: string
}

/** What works on stores themselves, with no server: on the machine that holds the server's state directory. */
export function registerStoreTools(root: Command, program: Program): void {
  registerRestore(root, program)
  registerVerify(root, program)
  registerMigrate(root, program)
}

const passphrase = ['--passphrase-file <file>', 'file with the passphrase of the keys in it, mode 600'] as const

function registerRestore(root: Command, program: Program): void {
  withStoreOptions(folders(root.command('restore')))
    .summary('fill an empty store from a backup; the server is stopped')
    .description(
      'Reads the whole backup first, then fills the store of this machine’s configuration (or --store), which must be empty. Nodes take it for another store and stop nothing until it is accepted on them.',
    )
    .argument('<file>', 'what berth backup wrote')
    .option(...passphrase)
    .option('--without-keys', 'also without the keys that it needs, which are lost: every node has to join anew')
    .action(action<ToolOptions>((context, [file = ''], options) => restore(context, file, options, program())))
}

interface Restored {
  readonly head: { readonly at: number; readonly revision: number }
  readonly records: number
  readonly bytes: number
  readonly epoch: string
  readonly keys: readonly string[]
}

async function restore(
  { out, signal }: CommandContext,
  file: string,
  options: ToolOptions,
  program: readonly string[],
) {
  const paths = hostPaths(options.stateDir, options.runDir)
  const store = hostStore(options, readHostConfig(paths.config))
  const keys = options.withoutKeys === true ? ['--keys', 'none'] : []
  const access = store === undefined ? [] : storeArguments(store)
  const args = [...access, ...passphraseArguments(options), ...keys, '--', file]
  const done = await runTool<Restored>(program, 'restore', [...folderArguments(paths), ...args], signal)
  out.line(
    `restored ${done.records} records (${formatBytes(done.bytes)}) of ${new Date(done.head.at).toISOString()}, revision ${done.head.revision}`,
  )
  if (done.keys.length > 0) out.line(`restored ${done.keys.join(', ')} in ${paths.stateDir}/server`)
  out.line(`the store's epoch is ${done.epoch}`)
  out.note(
    `start the server, look whether all is as it should be, then let each node obey it: echo ${done.epoch} > ${paths.stateDir}/agent/accept-epoch`,
  )
}

function registerVerify(root: Command, program: Program): void {
  const backup = root.commands.find((command) => command.name() === 'backup')
  folders((backup ?? root.command('backup')).command('verify'))
    .summary('a restore drill: restore into a temporary store, and look for contradictions')
    .argument('<file>', 'what berth backup wrote')
    .option(...passphrase)
    .action(action<ToolOptions>((context, [file = ''], options) => verify(context, file, options, program())))
}

interface Verified {
  readonly head: { readonly at: number; readonly revision: number; readonly version: string; readonly epoch: string }
  readonly records: number
  readonly bytes: number
  readonly counts: Readonly<Record<string, number>>
  readonly keys: readonly string[] | 'sealed' | 'none'
  readonly violations: readonly string[]
}

async function verify({ out, signal }: CommandContext, file: string, options: ToolOptions, program: readonly string[]) {
  const paths = hostPaths(options.stateDir, options.runDir)
  const args = [...folderArguments(paths), ...passphraseArguments(options), '--', file]
  const report = await runTool<Verified>(program, 'verify', args, signal)
  const { head, violations } = report
  out.line(`backup     ${file}, taken ${new Date(head.at).toISOString()} by Berth ${head.version}`)
  out.line(`store      epoch ${head.epoch}, revision ${head.revision}`)
  out.line(`records    ${report.records}, ${formatBytes(report.bytes)}: all read, restored and compared`)
  for (const [kind, count] of Object.entries(report.counts).sort()) out.line(`           ${count} ${kind}`)
  out.line(`keys       ${keysText(report.keys)}`)
  for (const violation of violations) out.line(`${out.style.red('problem')}    ${violation}`)
  if (violations.length > 0) throw new Exit(1)
  out.line(`${out.style.green('✔')} it can be restored`)
}

function keysText(keys: Verified['keys']): string {
  if (keys === 'none') return 'none: secret.key and authority/ are to be kept apart'
  return keys === 'sealed' ? 'sealed, not looked at (--passphrase-file)' : `${keys.join(', ')}: opened`
}

function registerMigrate(root: Command, program: Program): void {
  withStoreOptions(folders(root.command('store').summary('the server’s store itself').command('migrate')))
    .summary('move all records to another store; the server is stopped')
    .description(
      'Copies every record and compares every key and value. An interrupted one goes on when it is run again. Nodes obey the new store at once, and take the old one for a foreign store. The options --store-… are those of the etcd that is named.',
    )
    .requiredOption('--from <url>', 'sqlite, sqlite:PATH or etcd://…')
    .requiredOption('--to <url>', 'the same forms; must be empty')
    .action(action<ToolOptions>((context, _, options) => migrate(context, options, program())))
}

interface Migrated {
  readonly records: number
  readonly bytes: number
  readonly fromEpoch: string
  readonly epoch: string
}

async function migrate({ out, signal }: CommandContext, options: ToolOptions, program: readonly string[]) {
  const { from = '', to = '' } = options
  if (options.store !== undefined) throw new BerthError('usage.store', 'say --from and --to; --store has no place here')
  const paths = hostPaths(options.stateDir, options.runDir)
  const etcd = [from, to].find((url) => url.startsWith('etcd'))
  const access =
    etcd === undefined ? [] : storeArguments({ ...hostStore({ ...options, store: etcd }, undefined), url: etcd })
  const args = [...folderArguments(paths), ...access, '--from', from, '--to', to]
  const done = await runTool<Migrated>(program, 'migrate', args, signal)
  out.line(`moved ${done.records} records (${formatBytes(done.bytes)}), every one compared`)
  out.line(`epoch ${done.fromEpoch} → ${done.epoch}; nodes that knew the old one obey the new one`)
  out.note(`start the server on it: berth up --store ${to}; keep ${from} until all is well, and then remove it`)
}

const passphraseArguments = ({ passphraseFile }: ToolOptions): string[] =>
  passphraseFile === undefined ? [] : ['--passphrase-file', passphraseFile]

/** Runs the role that has the server's code; its answer is one JSON document. */
export async function runTool<T>(
  program: readonly string[],
  task: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<T> {
  const { problem, output } = await runRole(program, ['store-tool', task, ...args], '', signal)
  if (problem === '') return JSON.parse(output) as T
  throw toolError(problem)
}

function toolError(problem: string): BerthError {
  try {
    const { code, message, retryable, details } = (JSON.parse(problem) as ErrorBody).error
    return new BerthError(code, message, { retryable, details })
  } catch {
    return new BerthError('store.tool-failed', problem)
  }
}
