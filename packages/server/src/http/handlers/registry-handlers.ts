import { externalImages } from '../../registries/external-images.ts'
import { clusterRegistryView, registryImageView } from '../../views/cluster-registry-view.ts'
import { registryView } from '../../views/plain-views.ts'
import { done, type Handlers } from '../handler.ts'
import { registryListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'

type RegistryHandlers = Pick<
  Handlers,
  | 'listRegistries'
  | 'setRegistry'
  | 'removeRegistry'
  | 'getClusterRegistry'
  | 'getRegistryImages'
  | 'getExternalImages'
  | 'runClusterRegistry'
  | 'collectClusterRegistry'
  | 'stopClusterRegistry'
>

export const registryHandlers = ({ views, registries, registry }: Services): RegistryHandlers => ({
  listRegistries: () => registryListing(views),
  setRegistry: async ({ body, context }) => registryView(await registries.set(body, context)),
  removeRegistry: ({ query, context }) => done(registries.remove(query.host, context)),
  getClusterRegistry: async ({ signal }) => clusterRegistryView(await registry.status({ signal })),
  getRegistryImages: async ({ params, signal }) => ({
    items: (await registry.imagesOf(params.app, { signal })).map(registryImageView),
  }),
  getExternalImages: ({ params, query, signal }) =>
    externalImages(
      { state: views.state, loginFor: (image) => registries.loginFor(image), signal },
      params.app,
      query.last,
    ),
  runClusterRegistry: async ({ body, context }) => clusterRegistryView(await registry.run(body, context)),
  // Who asks for it wants it now, also of what has just come.
  collectClusterRegistry: ({ context }) => registry.collect(0, context),
  stopClusterRegistry: ({ query, context }) => done(registry.stop({ purge: query.purge === true }, context)),
})
