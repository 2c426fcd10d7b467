import type { ImageView } from '@berth/api'
import { appOfImage } from '@berth/core'
import type { ImageOnNode, ImagesOfNodes } from '../../images/node-images.ts'
import type { State } from '../../records/index.ts'
import { defined } from '../../views/view-context.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type ImageHandlers = Pick<Handlers, 'listImages' | 'pruneImages'>

export const imageHandlers = ({ views, images }: Services): ImageHandlers => ({
  listImages: async ({ query, signal }) => answerOf(views.state, await images.list(query.node, { signal })),
  pruneImages: async ({ body, context }) => answerOf(views.state, await images.prune(body.node, context)),
})

function answerOf(state: State, { images, unreachable }: ImagesOfNodes) {
  const releases = Map.groupBy(state.releases.values(), (release) => release.image)
  const view = (image: ImageOnNode): ImageView => {
    const { node, reference, id, createdAt, sizeBytes, verdict } = image
    return {
      ...{ node, reference, id, createdAt: Math.round(createdAt), sizeBytes: Math.round(sizeBytes), state: verdict },
      ...defined({ app: appOfImage(reference) }),
      releases: (releases.get(id) ?? []).map((release) => `${release.app}@${release.id}`),
    }
  }
  return { items: images.map(view), unreachable: [...unreachable] }
}
