import { BerthError, type Node } from '@berth/core'
import type { BuildAgents } from '../build/build-ports.ts'
import type { ImageRemovals } from '../images/image-removals.ts'
import type { State } from '../records/index.ts'
import type { Registries } from '../registries/registries.ts'
import type { AgentLinks } from './agent-links.ts'

/** The agents as builds see them. Nodes labelled `build=true` build, if there are any; else every node may. */
export const createBuildAgents = (
  links: AgentLinks,
  state: State,
  removals: ImageRemovals,
  registries: Pick<Registries, 'loginFor'>,
): BuildAgents => ({
  pickNode: (app) => pickNode(links, state, app),
  build: (node, request, context, options) => links.build(node, request, context, options),
  resolveImage: (node, image, { signal, refresh }) => {
    const login = registries.loginFor(image)
    const pull = refresh === true ? 'always' : 'missing'
    return links.resolveImage(node, image, { signal, pull, ...(login === undefined ? {} : { login }) })
  },
  imageExists: async (node, image, { signal }) => {
    await removals.settled(node)
    return await links.hasImage(node, image, { signal })
  },
})

/** The node of the app's last build, whose layers are there; else the one with the fewest instances. */
function pickNode(links: AgentLinks, state: State, app: string): string {
  const connected = state.nodes.all().filter((node) => links.isConnected(node.name))
  const builders = connected.filter((node) => node.labels.build === 'true')
  const candidates = builders.length > 0 ? builders : connected.filter((node) => node.schedulable)
  const last = state.builds
    .byApp(app)
    .filter((build) => build.node !== undefined)
    .sort((a, b) => b.createdAt - a.createdAt)[0]?.node
  const load = (node: Node): number => state.instances.byNode(node.name).length
  const chosen = candidates.find((node) => node.name === last) ?? candidates.sort((a, b) => load(a) - load(b))[0]
  if (chosen !== undefined) return chosen.name
  throw new BerthError(
    'build.no-node',
    `build ${app}: no node is connected that may build; see berth node ls, and start the agent of one`,
    { retryable: true },
  )
}
