import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

export const apiVersion = 'v1'

type ClusterHandlers = Pick<Handlers, 'getStatus' | 'getVersion'>

export const clusterHandlers = ({ info, views, authority, certificateProblems }: Services): ClusterHandlers => ({
  getVersion: () => ({ version: info.version, api: apiVersion, now: Date.now() }),
  getStatus: ({ identity }) => {
    const { state, isOnline } = views
    const nodes = [...state.nodes.ids()]
    const instances = state.instances.all().filter((each) => state.statuses.get(each.id)?.phase !== 'ended')
    const ready = instances.filter(
      (each) => each.node !== undefined && isOnline(each.node) && state.statuses.get(each.id)?.ready === true,
    )
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
      problems: [...certificateProblems()],
      ...(info.gatewayUrl === undefined ? {} : { gatewayUrl: info.gatewayUrl }),
      ...(info.consoleUrl === undefined ? {} : { consoleUrl: info.consoleUrl }),
    }
  },
})
