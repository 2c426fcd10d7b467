import { BerthError, type ConfigRollout } from '@berth/core'
import { newestVersion } from '../../node-config/config-nodes.ts'
import { configVersionDetail, configVersionView, nodeConfigView } from '../../views/node-config-view.ts'
import type { Handlers } from '../handler.ts'
import { configVersionListing } from '../listings/config-listing.ts'
import type { Services } from '../services.ts'

type NodeConfigHandlers = Pick<
  Handlers,
  | 'planNodeConfig'
  | 'applyNodeConfig'
  | 'rollbackNodeConfig'
  | 'stopNodeConfig'
  | 'getNodeConfig'
  | 'listNodeConfigVersions'
  | 'getNodeConfigVersion'
>

export const nodeConfigHandlers = ({ views, nodeConfigs }: Services): NodeConfigHandlers => {
  const { state, isOnline } = views
  const viewOf = ({ version }: ConfigRollout) => configVersionView(state, nodeConfigs.require(version))
  return {
    planNodeConfig: async ({ body, signal }) => {
      const { version, source, nodes } = await nodeConfigs.plan(body, signal)
      return {
        ...{ version, source: { ...source } },
        nodes: nodes.map((each) => ({
          ...each,
          changes: each.changes.map((change) => ({ ...change })),
          problems: [...each.problems],
          leftAsFound: [...each.leftAsFound],
        })),
      }
    },
    applyNodeConfig: async ({ body: { force, ...source }, context }) =>
      viewOf(await nodeConfigs.apply(source, force, context)),
    rollbackNodeConfig: async ({ body, context }) => viewOf(await nodeConfigs.rollback(body.to, context)),
    stopNodeConfig: async ({ context }) => viewOf(await nodeConfigs.stop(context)),
    getNodeConfig: () => {
      const current = newestVersion(state)
      const nodes = [...state.nodes.all()].sort((a, b) => (a.name < b.name ? -1 : 1))
      return {
        ...(current === undefined ? {} : { current: configVersionView(state, current) }),
        nodes: nodes.flatMap((node) => {
          const config = nodeConfigView(state, node)
          return config === undefined ? [] : [{ node: node.name, online: isOnline(node.name), config }]
        }),
      }
    },
    listNodeConfigVersions: () => configVersionListing(state),
    getNodeConfigVersion: ({ params }) => {
      const version = Number(/^v?(\d{1,9})$/.exec(params.version)?.[1] ?? Number.NaN)
      if (Number.isNaN(version))
        throw new BerthError(
          'configuration.version-not-found',
          `${params.version} is no version of the node configuration: write its number`,
        )
      return configVersionDetail(state, nodeConfigs.require(version))
    },
  }
}
