import { BerthError } from '@berth/core'
import type { Handlers } from '../handler.ts'
import { serverListing } from '../listings/server-listing.ts'
import type { Services } from '../services.ts'

type ServerHandlers = Pick<Handlers, 'listServers' | 'createServerToken' | 'joinServer'>

export const serverHandlers = ({ info, views, servers, serverAdmission }: Services): ServerHandlers => ({
  listServers: () => serverListing(views.state, servers.name),
  createServerToken: async ({ body, context }) => {
    if (servers.isAlone)
      throw new BerthError(
        'server.alone',
        `a second server cannot join: the store of ${servers.name} is a file of its own machine; move the records to etcd first, see docs/guides/servers.md`,
      )
    const { token, expiresAt } = await serverAdmission.createToken(body.ttlMs, context)
    // By the environment, not as an argument: arguments can be seen by everybody on the machine.
    return { token, expiresAt, command: `BERTH_JOIN_TOKEN=${token} berth server join --server ${info.advertised}` }
  },
  joinServer: async ({ body, remote }) => {
    await serverAdmission.admit({ ...body, from: remote })
    return { secretKey: servers.secretKey }
  },
})
