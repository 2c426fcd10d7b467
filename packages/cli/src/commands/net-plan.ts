import type { ChangedFlowGroup, ProfilePlan } from '@berth/api'
import { BerthError, messageOf, type Profile } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'
import { silentNotes } from './net-flows.ts'
import { readProfileFile } from './read-profile-file.ts'

interface PlanOptions {
  readonly file?: readonly string[]
  readonly rm?: readonly string[]
}

export function registerNetPlan(net: Command): void {
  net
    .command('plan')
    .summary('which connections that there are could not be made any more with other profiles; nothing is changed')
    .option('-f, --file <file...>', 'profiles as `berth profile apply` takes them')
    .option('--rm <profile...>', 'profiles that would go')
    .action(
      action<PlanOptions>(async (context, _, { file = [], rm = [] }) => {
        if (file.length + rm.length === 0)
          throw new BerthError('usage.plan', 'say which profiles: berth net plan -f web.yaml db.json')
        const profiles: Profile[] = []
        for (const each of file) profiles.push(await readProfileFile(each))
        const plan = await askPlan(context, profiles, rm)
        await printItem(plan, context.form, context.out, planText)
        for (const line of planNotes(plan)) context.out.note(line)
        if (plan.cutFlows > 0) throw new Exit(exitCode.failed)
      }),
    )
}

async function askPlan(
  { client, signal }: Pick<CommandContext, 'client' | 'signal'>,
  profiles: readonly Profile[],
  remove: readonly string[] = [],
): Promise<ProfilePlan> {
  const { profileDocument } = await import('@berth/core')
  const body = { profiles: profiles.map((each) => ({ ...profileDocument(each) })), remove: [...remove] }
  return await client.call('planProfiles', { body }, { signal })
}

/** Says what would be cut, and asks about it where somebody sits. That nodes could not be asked keeps nobody from a change. */
export async function planBefore(context: CommandContext, profiles: readonly Profile[]): Promise<void> {
  const { out, signal } = context
  let plan: ProfilePlan
  try {
    plan = await askPlan(context, profiles)
  } catch (error) {
    signal.throwIfAborted()
    out.note(`which connections would be cut is not known: ${messageOf(error)}`)
    return
  }
  if (plan.cutFlows === 0) return
  out.note(planText(plan))
  if (process.stdin.isTTY === true) await context.confirm('Apply?')
}

const standing = 'They stand until they end; made anew they are dropped.'

export function planText({ flows, cutFlows, cut, openedFlows, opened }: ProfilePlan): string {
  const total = `${flows} connections were looked at`
  if (cutFlows + openedFlows === 0) return `${total}: nothing changes for any of them`
  return [
    ...(cutFlows === 0
      ? [`${total}: all of them could still be made`]
      : [`${total}: ${cutFlows} could not be made any more`]),
    ...cut.map((group) => `  ${groupText(group)}`),
    ...(cutFlows === 0 ? [] : [standing]),
    ...(openedFlows === 0
      ? []
      : [`${openedFlows} that rules drop now would pass`, ...opened.map((each) => `  ${groupText(each)}`)]),
  ].join('\n')
}

const groupText = ({ from, to, protocol, port, flows, message }: ChangedFlowGroup): string =>
  `${from} → ${to} ${protocol}${port === undefined ? '' : `:${port}`} (${flows})  ${message}`

const planNotes = ({ more, silent }: ProfilePlan): string[] => [
  ...(more > 0 ? [`${more} connections more could not be looked at`] : []),
  ...silentNotes(silent),
]
