import {
  BerthError,
  type Build,
  type BuildNode,
  type ChosenBuildNode,
  chooseBuildNode,
  defaultGroupName,
} from '@berth/core'
import type { BuildAgents } from '../build/build-ports.ts'
import type { ImageRemovals } from '../images/image-removals.ts'
import type { State } from '../records/index.ts'
import type { Registries } from '../registries/registries.ts'
import type { AgentLinks } from './agent-links.ts'

/** The agents as builds see them. */
export const createBuildAgents = (
  links: AgentLinks,
  state: State,
  removals: ImageRemovals,
  registries: Pick<Registries, 'loginFor'>,
): BuildAgents => ({
  pickNode: (build) => pickNode(links, state, build),
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

function pickNode(links: AgentLinks, state: State, { id, app }: Pick<Build, 'id' | 'app'>): ChosenBuildNode {
  const running = state.builds.all().filter((build) => build.state === 'running' && build.id !== id)
  const nodes = state.nodes
    .all()
    .filter((node) => links.isConnected(node.name))
    .map(
      ({ name, labels, group = defaultGroupName, schedulable }): BuildNode => ({
        ...{ name, isBuilder: labels.build === 'true', schedulable },
        cpu: state.groups.find(group)?.cpu ?? 'shared',
        builds: running.filter((build) => build.node === name).length,
        instances: state.instances.byNode(name).length,
      }),
    )
  const last = state.builds
    .byApp(app)
    .filter((build) => build.node !== undefined)
    .sort((a, b) => b.createdAt - a.createdAt)[0]?.node
  const chosen = chooseBuildNode(nodes, last)
  if (chosen !== undefined) return chosen
  throw new BerthError(
    'build.no-node',
    `build ${app}: no node is connected that may build; see berth node ls, and start the agent of one`,
    { retryable: true },
  )
}
