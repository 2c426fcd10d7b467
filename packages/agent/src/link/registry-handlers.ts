import type { RegistryOrder, RegistryTransfer } from '@berth/api'
import { isName, type RegistryPlace } from '@berth/core'
import { type AgentRequest, respondJson } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import { invalid, type Route, readBody } from './request-body.ts'

/** The cluster's registry: running it here, and images into it and out of it. */
export const registryRoutes: readonly Route[] = [
  ['PUT', '/v1/registry', runRegistry],
  ['GET', '/v1/registry', reportRegistry],
  ['POST', '/v1/registry/collect', collectRegistry],
  ['DELETE', '/v1/registry', endRegistry],
  ['POST', '/v1/images/push', pushImage],
  ['POST', '/v1/images/pull', pullImage],
]

async function runRegistry({ registry }: LinkServices, request: AgentRequest): Promise<void> {
  const order = await readBody(request)
  if (!isOrder(order)) throw invalid('the body is no order to run a registry')
  respondJson(request.stream, 200, await registry.run(order, request))
}

async function reportRegistry({ registry }: LinkServices, { stream, query, signal }: AgentRequest): Promise<void> {
  const app = query.get('app') ?? undefined
  if (app !== undefined && !isName(app)) throw invalid('?app= is no name of an app')
  respondJson(stream, 200, await registry.report({ size: query.has('size'), app, signal }))
}

async function collectRegistry({ registry }: LinkServices, request: AgentRequest): Promise<void> {
  const { remove } = (await readBody(request)) as { readonly remove?: readonly RegistryPlace[] }
  if (!Array.isArray(remove)) throw invalid('the body must be {"remove": [{"repository": "…", "tag": "…"}, …]}')
  respondJson(request.stream, 200, await registry.collect(remove, request))
}

async function endRegistry({ registry }: LinkServices, { stream, query }: AgentRequest): Promise<void> {
  await registry.end({ purge: query.get('purge') === 'true' })
  respondJson(stream, 200, {})
}

async function pushImage({ transfers }: LinkServices, request: AgentRequest): Promise<void> {
  await transfers.push(await readTransfer(request), request)
  respondJson(request.stream, 200, {})
}

async function pullImage({ transfers, onImage }: LinkServices, request: AgentRequest): Promise<void> {
  await transfers.pull(await readTransfer(request), request)
  onImage()
  respondJson(request.stream, 200, {})
}

async function readTransfer(request: AgentRequest): Promise<RegistryTransfer> {
  const { image, host, token, repository, tag } = (await readBody(request)) as Partial<RegistryTransfer>
  if (typeof image !== 'string' || typeof host !== 'string' || typeof token !== 'string')
    throw invalid('the body must be {"image": "…", "host": "…", "repository": "…", "tag": "…", "token": "…"}')
  return { image, host, token, repository: repository ?? '', tag: tag ?? '' }
}

function isOrder(order: Partial<RegistryOrder>): order is RegistryOrder {
  const { id, address, port, certificatePem, keyPem, tokenCertificatePem } = order
  const texts = [id, address, certificatePem, keyPem, tokenCertificatePem]
  return texts.every((text) => typeof text === 'string' && text !== '') && Number.isInteger(port)
}
