import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { readText } from '../files.ts'
import { action } from './command.ts'
import { listRoutes } from './listings.ts'

interface MaintenanceOptions {
  readonly page?: string
  readonly ownPage?: boolean
}

export function registerRoute(program: Command): void {
  const route = program.command('route').summary('list routes, and say what is shown at a host of the gateway')
  route.command('ls').summary('routes of the gateway and who serves them').action(listRoutes)
  route
    .command('maintenance')
    .summary('show the maintenance page for all routes of a host, and serve them again')
    .argument('<host>', 'as the routes have it: shop.example.com, *.example.com or *')
    .argument('<state>', 'on or off')
    .option(
      '--page <file>',
      'HTML or text that is shown; remembered for the next time, and for routes with whenEmpty: maintenance',
    )
    .option('--no-own-page', 'forget that page')
    .action(
      action<MaintenanceOptions>(async ({ client, out, signal }, [host = '', state = ''], options) => {
        if (state !== 'on' && state !== 'off')
          throw new BerthError('usage.state', `maintenance of ${host}: say on or off, not "${state}"`)
        const page = options.ownPage === false ? null : options.page === undefined ? undefined : readText(options.page)
        const body = { on: state === 'on', ...(page === undefined ? {} : { page }) }
        await client.call('setMaintenance', { params: { host }, body }, { signal })
        out.note(
          body.on
            ? `${host} shows the maintenance page; berth route maintenance ${host} off ends it`
            : `${host} is served again`,
        )
      }),
    )
}
