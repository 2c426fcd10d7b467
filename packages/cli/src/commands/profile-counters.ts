import type { RuleCountersView } from '@berth/api'
import type { CommandContext } from '../command-context.ts'
import { formatAge, formatBytes } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'

export type CounterRow = RuleCountersView['rules'][number]

export async function showCounters({ client, out, form, signal }: CommandContext, name: string): Promise<void> {
  const found = await client.call('getProfileCounters', { params: { name } }, { signal })
  if (form === 'table' || form === 'wide') await printListing(found.rules, counterListing, form, out)
  else await printItem(found, form, out, () => '')
  for (const line of counterNotes(found, Date.now())) out.note(line)
}

/** Since when it is counted, and who could not be asked. */
export function counterNotes({ nodes, silent }: RuleCountersView, now: number): string[] {
  const since = nodes.map((each) => `${each.node} for ${formatAge(now - each.since)}`)
  return [
    since.length === 0 ? 'no node has it in force: nothing is counted' : `counted by ${since.join(', ')}`,
    ...silent.map(({ node, message }) => `${node} is not counted: ${message}`),
  ]
}

export const counterListing: ListingView<CounterRow> = {
  headers: ['list', 'no', 'rule', 'packets', 'bytes'],
  row: ({ end, number, rule, profiles = [], packets, bytes }) => [
    end === 'in' ? 'inbound' : 'outbound',
    String(number ?? '-'),
    rule ?? `(no rule of ${profiles.join(', ')}: dropped)`,
    String(packets),
    formatBytes(bytes),
  ],
  wideHeaders: ['by node'],
  wideRow: ({ nodes }) => [nodes.map(({ node, packets }) => `${node}=${packets}`).join(' ') || '-'],
  name: ({ end, number, rule = 'no rule' }) => `${end} ${number ?? '-'} ${rule}`,
  empty: 'it has no rules',
}
