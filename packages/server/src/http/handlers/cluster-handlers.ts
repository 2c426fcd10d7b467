import type { FailoverAddressView } from '@berth/api'
import type { StoreHealth } from '../../store/store.ts'
import { serverViews } from '../../views/server-view.ts'
import type { Handlers } from '../handler.ts'
import { failoverListing } from '../listings/failover-listing.ts'
import type { Services } from '../services.ts'

export const apiVersion = 'v1'

const heldBy = ({ address, nodes }: FailoverAddressView) => ({
  address,
  heldBy: nodes.flatMap(({ name, state }) => (state === 'holds' ? [name] : [])),
})

type ClusterHandlers = Pick<Handlers, 'createBackup' | 'getStatus' | 'getVersion'>

export const clusterHandlers = ({
  info,
  store,
  backups,
  views,
  servers,
  authority,
  certificateProblems,
  machineProblems,
  subscriptions,
  failoverPlans,
}: Services): ClusterHandlers => ({
  createBackup: ({ identity, body, signal }) => backups.create(identity.actor, { passphrase: body.passphrase, signal }),
  getVersion: () => ({ version: info.version, api: apiVersion, now: Date.now() }),
  getStatus: async ({ identity, signal }) => {
    const { state, isOnline } = views
    const nodes = [...state.nodes.ids()]
    const instances = state.instances.all().filter((each) => state.statuses.field(each.id, 'phase') !== 'ended')
    const ready = instances.filter(
      (each) => each.node !== undefined && isOnline(each.node) && state.statuses.field(each.id, 'ready') === true,
    )
    const failover = failoverListing(views, failoverPlans).all()
    const { problems: storeProblems, ...storeView } = viewStore(await store.health({ signal }))
    return {
      ...{ version: info.version, epoch: state.epoch, revision: state.revision, startedAt: info.startedAt },
      ...{ actor: identity.actor, role: identity.role },
      ...{ nodes: nodes.length, nodesOnline: nodes.filter(isOnline).length, apps: state.apps.size },
      ...{ instances: instances.length, instancesReady: ready.length },
      authority: {
        ...{ fingerprint: authority.fingerprint, expiresAt: authority.expiresAt },
        trustPem: authority.trustPem,
      },
      joining: { server: info.advertised, agentPort: info.agentPort },
      store: storeView,
      problems: [
        ...certificateProblems(),
        ...(await machineProblems()),
        ...subscriptions.problems(),
        ...storeProblems,
        ...failover.flatMap(({ address, problems }) => problems.map((each) => `failover address ${address}: ${each}`)),
      ],
      ...(failover.length === 0 ? {} : { failover: failover.map(heldBy) }),
      ...{ server: servers.name, servers: serverViews(state, servers.name) },
      ...(info.gatewayUrl === undefined ? {} : { gatewayUrl: info.gatewayUrl }),
      ...(info.consoleUrl === undefined ? {} : { consoleUrl: info.consoleUrl }),
    }
  },
})

/** With a sentence for each member that is not well. */
function viewStore({ members, ...health }: StoreHealth) {
  const ill = (members ?? []).filter((member) => !member.healthy)
  const problems = ill.map(({ address, problem }) => `store member ${address}: ${problem ?? 'it does not answer'}`)
  if (!health.healthy) problems.push(`the store ${health.location} takes no commits`)
  return { ...health, ...(members === undefined ? {} : { members: [...members] }), problems }
}
