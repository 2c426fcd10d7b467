import type { NodeView } from '@berth/api'
import { imageLimitsText } from '@berth/core'
import type { Command } from 'commander'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'
import { type ImageLimitWords, imagesOf } from './image-limits.ts'

export function registerNodeImages(node: Command): void {
  node
    .command('images')
    .summary('how many images it takes and gives at once, and how fast; `none`: as its group has it')
    .argument('<node>')
    .option('--takes <count>', 'so many may be on their way to it')
    .option('--gives <count>', 'and so many from it to others')
    .option('--rate <size>', 'no faster than that a second, both ways together: 50Mi')
    .action(
      action<ImageLimitWords>(async (context, [name = ''], options) => {
        const change = imagesOf(options)
        const { client, out, form, signal } = context
        const changed =
          change.images === undefined
            ? await client.call('getNode', { params: { name } }, { signal })
            : await client.call('updateNode', { params: { name }, body: change }, { signal })
        const { images = {}, imageRules = {} } = changed
        await printItem({ node: name, images, imageRules }, form, out, () => imagesText(changed))
      }),
    )
}

const imagesText = ({ name, images, imageRules = {} }: NodeView): string =>
  `${name} ${imageLimitsText(imageRules)}${images === undefined ? ' (as its group has it)' : ''}`
