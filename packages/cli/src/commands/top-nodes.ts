import type { CoreMapView } from '@berth/api'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatCores } from '../output/format.ts'
import { printItem } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { showAgain } from './again.ts'
import { action } from './command.ts'

export function registerTopNodes(top: Command): void {
  top
    .command('nodes')
    .summary('who owns which core of each node, how busy it is, and whom the kernel holds back')
    .argument('[node]', 'only of this node')
    .option('-w, --watch', 'again every two seconds')
    .action(
      action<{ watch?: boolean }>(async (context, [name], options) => {
        const now = () => show(context, name)
        await now()
        if (options.watch === true) await showAgain(context, now)
      }),
    )
}

async function show({ client, out, form, signal }: CommandContext, name: string | undefined): Promise<void> {
  const names =
    name === undefined ? (await client.list('listNodes', {}, { signal })).items.map((each) => each.name) : [name]
  const maps: CoreMapView[] = []
  for (const each of names) maps.push(await client.call('getCoreMap', { params: { name: each } }, { signal }))
  await printItem(maps, form, out, () => maps.map((each) => formatCoreMap(each, out.style)).join('\n\n'))
}

/** One line a core: its owners with their parts, and how much of it is busy. */
export function formatCoreMap(map: CoreMapView, style: Style): string {
  const speed = map.speedMilli === 1000 ? '' : `, speed ${map.speedMilli / 1000}`
  const over = map.overCommitted ? style.red('  over-committed: more is given out than it has') : ''
  const lines = [`${style.bold(map.node)}  group ${map.group} (${map.cpu})${speed}${over}`]
  for (const each of map.cores) {
    const owners = each.owners.map(({ instance, milli }) =>
      milli === 1000 ? instance : `${instance} ${formatCores(milli)}`,
    )
    const busy = each.busyMilli === undefined ? '' : `${String(Math.round(each.busyMilli / 10)).padStart(3)} %`
    const absent = each.present ? '' : style.red(' (not reported by the node)')
    lines.push(
      `  core ${String(each.core).padStart(3)}  ${busy.padEnd(6)}${stateText(each.state, style)}  ${owners.join(', ')}${absent}`.trimEnd(),
    )
  }
  if (map.unbound.length > 0) lines.push(`  on cores that nobody owns: ${map.unbound.join(', ')}`)
  for (const { instance, milli } of map.throttled)
    lines.push(
      style.yellow(`  ${instance} is held back by its limit for ${formatCores(milli)} of a second each second`),
    )
  for (const instance of map.starving ?? [])
    lines.push(style.yellow(`  ${instance} gets less of its shared core than was promised; weights are being moved`))
  return lines.join('\n')
}

const stateText = (state: CoreMapView['cores'][number]['state'], style: Style): string => {
  const text = state.padEnd(8)
  return { free: style.dim(text), whole: text, shared: style.yellow(text), conflict: style.red(text) }[state]
}
