import type { ClusterRegistryView } from '@berth/api'
import type { Command } from 'commander'
import { formatAge, formatBytes } from '../output/format.ts'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'
import { plural, wholeNumber } from './words.ts'

/** The cluster's own registry, below `berth registry`. */
export function registerClusterRegistry(registry: Command): void {
  registry
    .command('run')
    .summary("run the cluster's own registry on a node, or move it there")
    .option('--node <node>', 'on this node; the only one needs no naming')
    .option('--port <port>', 'at its own address (5000 unless said otherwise)', wholeNumber)
    .action(
      action<{ node?: string; port?: string }>(async ({ client, out, form, signal }, _, { node, port }) => {
        const body = { node, ...(port === undefined ? {} : { port: Number(port) }) }
        const view = await client.call('runClusterRegistry', { body }, { signal })
        await printItem(view, form, out, registryText(Date.now()))
        if (view.missing > 0)
          out.note(`${plural(view.missing, 'image')} of releases will be pushed from the nodes that have them`)
      }),
    )
  registry
    .command('status')
    .alias('show')
    .summary("where the cluster's own registry is, how it is, and what it has")
    .action(
      action(async ({ client, out, form, signal }) => {
        const view = await client.call('getClusterRegistry', {}, { signal })
        await printItem(view, form, out, registryText(Date.now()))
      }),
    )
  registry
    .command('gc')
    .summary('remove what no release needs from the registry now instead of within a day')
    .action(
      action(async ({ client, out, form, signal }) => {
        const gone = await client.call('collectClusterRegistry', { body: {} }, { signal })
        await printItem(
          gone,
          form,
          out,
          ({ removed, freedBytes }) => `${plural(removed, 'image')} went, ${formatBytes(freedBytes)} were freed`,
        )
      }),
    )
  registry
    .command('stop')
    .summary('stop the registry; images go from node to node again')
    .option('--purge', 'remove its images, too')
    .action(
      action<{ purge?: boolean }>(async ({ client, out, signal, confirm }, _, { purge = false }) => {
        await confirm(purge ? 'Stop the registry and remove its images?' : 'Stop the registry?')
        await client.call('stopClusterRegistry', { query: { purge: String(purge) } }, { signal })
        out.note('the registry stops; images are copied from node to node from now on')
      }),
    )
}

const registryText =
  (now: number) =>
  (view: ClusterRegistryView): string => {
    const { node, host, running, problem, images, missing, sizeBytes, freeBytes, collected } = view
    if (node === undefined) return 'the cluster has no registry of its own; make one: berth registry run'
    const rows: (readonly [string, string | undefined])[] = [
      ['node', host === undefined ? `${node}, which is no node any more` : `${node} (${host})`],
      ['state', running ? 'running' : 'not running'],
      ['problem', problem],
      ['images', missing === 0 ? String(images) : `${images}, ${missing} of releases are missing`],
      ['on disk', sizeBytes === undefined ? undefined : formatBytes(sizeBytes)],
      ['free', freeBytes === undefined ? undefined : formatBytes(freeBytes)],
      [
        'collected',
        collected &&
          `${formatAge(now - collected.at)} ago: ${plural(collected.removed, 'image')}, ${formatBytes(collected.freedBytes)}`,
      ],
    ]
    return rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(11)}${value}`])).join('\n')
  }
