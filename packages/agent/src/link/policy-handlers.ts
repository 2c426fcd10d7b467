import { type AgentRequest, respondJson } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import type { Route } from './request-body.ts'

/** What the kernel knows of packets and rules; read when it is asked for. */
export const policyRoutes: readonly Route[] = [
  ['GET', '/v1/policy/counts', serveCounts],
  ['GET', '/v1/policy/drops', serveDrops],
]

async function serveCounts({ policy }: LinkServices, { stream, query, signal }: AgentRequest): Promise<void> {
  const profile = query.get('profile') ?? undefined
  respondJson(stream, 200, await policy.counts({ signal, ...(profile === undefined ? {} : { profile }) }))
}

async function serveDrops({ policy }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, await policy.drops({ signal }))
}
