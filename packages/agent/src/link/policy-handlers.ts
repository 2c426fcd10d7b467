import { type AgentRequest, respondJson } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import { invalid, type Route, readBody } from './request-body.ts'

/** What the kernel knows of packets and rules; read when it is asked for. */
export const policyRoutes: readonly Route[] = [
  ['GET', '/v1/policy/counts', serveCounts],
  ['GET', '/v1/policy/drops', serveDrops],
  ['POST', '/v1/flows', serveFlows],
]

async function serveCounts({ policy }: LinkServices, { stream, query, signal }: AgentRequest): Promise<void> {
  const profile = query.get('profile') ?? undefined
  respondJson(stream, 200, await policy.counts({ signal, ...(profile === undefined ? {} : { profile }) }))
}

async function serveDrops({ policy }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, await policy.drops({ signal }))
}

async function serveFlows({ policy }: LinkServices, request: AgentRequest): Promise<void> {
  const { of } = (await readBody(request)) as { readonly of?: unknown }
  if (of !== undefined && !(Array.isArray(of) && of.every((each) => typeof each === 'string')))
    throw invalid('the body must be {} or {"of": ["<address>", …]}')
  respondJson(request.stream, 200, await policy.flows({ ...(of === undefined ? {} : { of }), signal: request.signal }))
}
