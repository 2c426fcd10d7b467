import { lanView } from '../../views/lan-view.ts'
import { done, type Handlers } from '../handler.ts'
import { lanListing } from '../listings/lan-listing.ts'
import type { Services } from '../services.ts'

type LanHandlers = Pick<Handlers, 'listLans' | 'getLan' | 'createLan' | 'removeLan'>

/** Networks of the machines' own. */
export const lanHandlers = ({ views, lans }: Services): LanHandlers => ({
  listLans: () => lanListing(views),
  getLan: ({ params }) => lanView(views, lans.require(params.name)),
  createLan: async ({ body, context }) => lanView(views, await lans.create(body, context)),
  removeLan: ({ params, context }) => done(lans.remove(params.name, context)),
})
