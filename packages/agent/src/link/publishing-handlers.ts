import type { InstancePort } from '@berth/core'
import { takenPorts } from '../publishing/taken-ports.ts'
import { type AgentRequest, respondJson } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import { invalid, type Route, readBody } from './request-body.ts'

export const publishingRoutes: readonly Route[] = [['POST', '/v1/publishing/taken', serveTaken]]

/** Which of the ports that are to be published programs of this node have, as it is now. */
async function serveTaken(_: LinkServices, request: AgentRequest): Promise<void> {
  const { ports } = (await readBody(request)) as { readonly ports?: unknown }
  if (!Array.isArray(ports) || ports.length > 64 || !ports.every(isPort))
    throw invalid('the body must be {"ports": [{"hostPort": 8080, "protocol": "tcp"}, …]}, 64 of them at most')
  respondJson(request.stream, 200, { taken: [...(await takenPorts(ports))] })
}

function isPort(given: unknown): given is InstancePort {
  if (typeof given !== 'object' || given === null) return false
  const { hostPort, protocol, hostAddress } = given as Partial<Record<keyof InstancePort, unknown>>
  return (
    Number.isInteger(hostPort) &&
    (protocol === 'tcp' || protocol === 'udp') &&
    (hostAddress === undefined || typeof hostAddress === 'string')
  )
}
