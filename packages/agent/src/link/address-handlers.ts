import { parseBlock } from '@berth/core'
import { readRoutes } from '../network/host-state.ts'
import { describeRoute, findCollision } from '../network/network-plan.ts'
import { runCommand } from '../network/run-command.ts'
import { type AgentRequest, respondJson } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import type { Route } from './request-body.ts'

/** What this node knows of addresses; read when it is asked for. */
export const addressRoutes: readonly Route[] = [
  ['GET', '/v1/network/collision', serveCollision],
  ['GET', '/v1/network/addresses', serveAddresses],
  ['POST', '/v1/network/addresses/release', serveRelease],
]

/** The route of this host that keeps a range from being a pool. */
async function serveCollision(_: LinkServices, { stream, query, signal }: AgentRequest): Promise<void> {
  const range = parseBlock(query.get('range') ?? '')
  const found = findCollision(range, await readRoutes(runCommand, signal))
  respondJson(stream, 200, found === undefined ? {} : { route: describeRoute(found) })
}

async function serveAddresses({ addresses }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, await addresses.report({ signal }))
}

async function serveRelease({ addresses }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, await addresses.release({ signal }))
}
