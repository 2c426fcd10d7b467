import { registryView } from '../../views/plain-views.ts'
import type { Handlers } from '../handler.ts'
import { registryListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'

type RegistryHandlers = Pick<Handlers, 'listRegistries' | 'setRegistry' | 'removeRegistry'>

export const registryHandlers = ({ views, registries }: Services): RegistryHandlers => ({
  listRegistries: () => registryListing(views),
  setRegistry: async ({ body, context }) => registryView(await registries.set(body, context)),
  removeRegistry: async ({ query, context }) => {
    await registries.remove(query.host, context)
    return { ok: true }
  },
})
