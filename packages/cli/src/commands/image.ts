import type { ImageView } from '@berth/api'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatAge, formatBytes } from '../output/format.ts'
import { type ListingView, printListing } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { action } from './command.ts'

interface NodeOption {
  readonly node?: string
}

export function registerImages(program: Command): void {
  const image = program
    .command('image')
    .alias('images')
    .summary('images on the nodes; those that nothing needs go by themselves')
  image
    .command('ls', { isDefault: true })
    .summary('images of apps and levels, and what they are needed for')
    .option('--node <node>', 'only of this node')
    .action(
      action<NodeOption>(async (context, _, { node }) => {
        const { client, form, out, signal } = context
        const answer = await client.call('listImages', { query: { node } }, { signal })
        await printListing(answer.items, imageListing(out.style, Date.now()), form, out)
        sayUnreachable(context, answer.unreachable)
      }),
    )
  image
    .command('prune')
    .summary('remove what nothing needs now instead of later')
    .option('--node <node>', 'only from this node')
    .option('--dry-run', 'only show what would go')
    .action(
      action<NodeOption & { dryRun?: boolean }>(async (context, _, { node, dryRun }) => {
        const { client, form, out, signal, confirm } = context
        const before = await client.call('listImages', { query: { node } }, { signal })
        const unneeded = before.items.filter((each) => each.state === 'unneeded' || each.state === 'new')
        if (dryRun === true) {
          await printListing(
            unneeded,
            { ...imageListing(out.style, Date.now()), empty: 'nothing to remove' },
            form,
            out,
          )
          return sayUnreachable(context, before.unreachable)
        }
        if (unneeded.length > 0) await confirm(`Remove ${countOf(unneeded)} that nothing needs?`)
        const body = node === undefined ? {} : { node }
        const gone = await client.call('pruneImages', { body }, { signal })
        await printListing(
          gone.items,
          { ...imageListing(out.style, Date.now()), empty: 'nothing to remove' },
          form,
          out,
        )
        if (gone.items.length > 0) out.note(`removed ${countOf(gone.items)}`)
        sayUnreachable(context, gone.unreachable)
      }),
    )
}

const countOf = (images: readonly unknown[]): string => `${images.length} ${images.length === 1 ? 'image' : 'images'}`

function sayUnreachable(
  { out }: CommandContext,
  nodes: readonly { readonly node: string; readonly message: string }[],
): void {
  for (const { node, message } of nodes) out.note(`${node} could not be asked: ${message}`)
}

const imageListing = (style: Style, now: number): ListingView<ImageView> => ({
  headers: ['node', 'image', 'needed for', 'size', 'age'],
  row: (each) => [
    each.node,
    each.reference,
    neededFor(each, style),
    formatBytes(each.sizeBytes),
    formatAge(now - each.createdAt),
  ],
  wideHeaders: ['id'],
  wideRow: (each) => [each.id.replace('sha256:', '').slice(0, 12)],
  name: (each) => each.reference,
  empty: 'no images of Berth’s yet',
})

const reasons: Readonly<Record<Exclude<ImageView['state'], 'release'>, string>> = {
  used: 'a container',
  level: 'the next build',
  building: 'a build under way',
  new: 'nothing yet',
  unneeded: 'nothing',
}

function neededFor(image: ImageView, style: Style): string {
  if (image.releases.length > 0) return image.releases.slice(0, 3).join(', ') + (image.releases.length > 3 ? ' …' : '')
  const reason = image.state === 'release' ? 'a release' : reasons[image.state]
  return image.state === 'unneeded' ? style.yellow(reason) : reason
}
