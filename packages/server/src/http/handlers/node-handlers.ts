import { nodeDetail, nodeView } from '../../views/node-view.ts'
import { done, type Handlers } from '../handler.ts'
import { nodeListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'

type NodeHandlers = Pick<
  Handlers,
  'listNodes' | 'getNode' | 'updateNode' | 'removeNode' | 'createJoinToken' | 'checkJoin' | 'joinNode'
>

export const nodeHandlers = ({ views, nodes, enrolment, authority, info }: Services): NodeHandlers => ({
  listNodes: () => nodeListing(views),
  getNode: ({ params }) => nodeDetail(views, nodes.require(params.name)),
  updateNode: async ({ params, body, context }) => nodeView(views, await nodes.update(params.name, body, context)),
  removeNode: ({ params, context }) => done(nodes.remove(params.name, context)),
  createJoinToken: async ({ body, context }) => {
    const { token, expiresAt } = await enrolment.createToken(body, context)
    // By the environment, not as an argument: arguments can be seen by everybody on the machine.
    return { token, expiresAt, command: `BERTH_JOIN_TOKEN=${token} berth node join --server ${info.advertised}` }
  },
  checkJoin: ({ body, remote }) => ({
    ...{ version: info.version, now: Date.now(), agentPort: info.agentPort },
    problems: enrolment.problemsOf({ ...body, from: remote }),
  }),
  joinNode: async ({ body, remote }) => {
    const { node, certificatePem } = await enrolment.join({ ...body, from: remote })
    return { node: node.name, certificatePem, authorityPem: authority.trustPem, agentPort: info.agentPort }
  },
})
