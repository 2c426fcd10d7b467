import type { ApprovalRuleView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, removeCommand } from './named-commands.ts'
import { warnOfPlaces } from './unknown-words.ts'
import { wholeNumber } from './words.ts'

interface RuleOptions {
  readonly app?: string
  readonly environment?: string
  readonly needed: string
  readonly role?: string
}

/** How many have to say yes to deploys, whatever a berth.yaml says. */
export function registerApprovalRules(program: Command): void {
  const rule = program
    .command('approval-rule')
    .alias('approval-rules')
    .summary('how many have to say yes to deploys, whatever a berth.yaml says')
  listCommand(rule, 'listApprovalRules', 'all of them', () => listing)
  rule
    .command('add')
    .summary('deploys need so many yeses of others than who asks')
    .argument('<name>')
    .requiredOption('--needed <count>', 'how many, 1 to 10', wholeNumber)
    .option('--role <role>', 'whose yes counts: deployer or admin (default: deployer)')
    .option('--app <app>', 'only of this app')
    .option('-e, --environment <name>', 'only to this environment')
    .action(
      action<RuleOptions>(async (context, [name = ''], options) => {
        const { client, out, form, signal } = context
        const { app, environment: pool, needed } = options
        const role = options.role === undefined ? undefined : roleOf(options.role)
        const body = {
          ...{ name, needed: Number(needed) },
          ...(app === undefined ? {} : { app }),
          ...(pool === undefined ? {} : { pool }),
          ...(role === undefined ? {} : { role }),
        }
        const added = await client.call('addApprovalRule', { body }, { signal })
        await printItem(
          added,
          form,
          out,
          (each) => `${each.name}: ${placesOf(each)} need ${each.needed} (${each.role})`,
        )
        await warnOfPlaces(context, { app, pool })
      }),
    )
  removeCommand(rule, 'removeApprovalRule', {
    summary: 'remove one',
    done: (name) => `approval rule ${name} is removed; rollouts that wait for it go on waiting`,
  })
}

function roleOf(text: string): 'deployer' | 'admin' {
  if (text === 'deployer' || text === 'admin') return text
  throw new BerthError('usage.role', `--role ${text}: deployer or admin`)
}

const placesOf = ({ app, pool }: ApprovalRuleView): string =>
  `deploys${app === undefined ? '' : ` of ${app}`}${pool === undefined ? '' : ` to ${pool}`}`

const listing: ListingView<ApprovalRuleView> = {
  headers: ['name', 'of', 'needed', 'role', 'by'],
  row: (each) => [each.name, `${each.app ?? '*'}/${each.pool ?? '*'}`, String(each.needed), each.role, each.createdBy],
  name: ({ name }) => name,
  empty: 'deploys need the yeses that their berth.yaml asks for',
}
