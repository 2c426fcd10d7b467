import type { SubscriptionView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, removeCommand } from './named-commands.ts'
import { type SecretOptions, secretOf } from './secret-options.ts'

interface AddOptions extends SecretOptions {
  readonly events?: string
  readonly app?: string
  readonly from?: string
}

/** Who is told of events elsewhere: webhooks, channels of Redis. */
export function registerSubscriptions(program: Command): void {
  const subscription = program
    .command('subscription')
    .alias('subscriptions')
    .alias('webhook')
    .summary('who is told of events elsewhere: webhooks, channels of Redis')
  listCommand(
    subscription,
    'listSubscriptions',
    'these, how far each has come, and which cannot be reached',
    () => subscriptionListing,
  )
  subscription
    .command('add')
    .alias('set')
    .argument('<name>')
    .argument('<url>', 'https://ci.example/hook, or redis://10.0.0.5:6379/CHANNEL')
    .summary('make or change one')
    .option('--events <types>', 'rollout.*,instance.ready; with commas (default: all)')
    .option('--app <app>', 'only events about this app')
    .option('--secret', 'what deliveries are signed with, or Redis’s password: asked for, or from standard input')
    .option('--secret-file <file>', 'the same from a file; an empty one takes it away')
    .option('--from <revision>', 'from events behind this revision on (default: from now on)')
    .action(
      action<AddOptions>(async ({ client, out, form, signal }, [name = '', url = ''], options) => {
        const secret = await secretOf(options, signal)
        const { events, app, from } = options
        const body = {
          ...{ url },
          ...(events === undefined ? {} : { events: events.split(',').map((each) => each.trim()) }),
          ...(app === undefined ? {} : { app }),
          ...(secret === undefined ? {} : { secret }),
          ...(from === undefined ? {} : { from: revisionOf(from) }),
        }
        const view = await client.call('setSubscription', { params: { name }, body }, { signal })
        await printItem(view, form, out, subscriptionText)
      }),
    )
  subscription
    .command('test')
    .argument('<name>')
    .summary('send a delivery of no events: would the next one be taken?')
    .action(
      action(async ({ client, out, signal }, [name = '']) => {
        const { tookMs } = await client.call('trySubscription', { params: { name } }, { signal })
        out.note(`${name} took a delivery of no events in ${tookMs} ms`)
      }),
    )
  removeCommand(subscription, 'removeSubscription', {
    summary: 'tell it nothing any more',
    question: (name) => `Tell subscription ${name} nothing any more?`,
    done: (name) => `${name} is told nothing any more`,
  })
}

export function revisionOf(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text)
  throw new BerthError('usage.value', `--from ${text}: write a revision, as berth subscription ls shows it`)
}

const stateOf = ({ failures, failingSince, problem, deliveredAt }: SubscriptionView): string => {
  if (failures > 0) return `failing since ${formatAge(Date.now() - (failingSince ?? Date.now()))}: ${problem ?? ''}`
  return deliveredAt === undefined ? 'nothing told yet' : `told ${formatAge(Date.now() - deliveredAt)} ago`
}

export function subscriptionText(view: SubscriptionView): string {
  const rows = [
    ['name', view.name],
    ['url', view.url],
    ['events', view.events.join(', ')],
    ...(view.app === undefined ? [] : [['app', view.app]]),
    ['secret', view.hasSecret ? 'set' : 'none'],
    ['revision', String(view.revision)],
    ['state', stateOf(view)],
  ]
  return rows.map(([key = '', value]) => `${key.padEnd(9)} ${value}`).join('\n')
}

const subscriptionListing: ListingView<SubscriptionView> = {
  headers: ['name', 'url', 'events', 'state'],
  row: (view) => [view.name, view.url, view.events.join(','), stateOf(view)],
  wideHeaders: ['app', 'secret', 'revision', 'by'],
  wideRow: ({ app, hasSecret, revision, updatedBy }) => [
    app ?? '-',
    hasSecret ? 'set' : '-',
    String(revision),
    updatedBy,
  ],
  name: ({ name }) => name,
  empty: 'nobody is told of events elsewhere; see: berth subscription add --help',
}
