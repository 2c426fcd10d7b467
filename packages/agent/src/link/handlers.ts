import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { BuildRequest, ConfigOrder, ReachTarget, ResolveImageRequest } from '@berth/api'
import { BerthError, type NodeConfig } from '@berth/core'
import type { PullOptions } from '../engine/engine.ts'
import { instanceLogs } from '../instance/instance-logs.ts'
import { measureCoreSpeed } from '../metrics/core-speed.ts'
import { addressRoutes } from './address-handlers.ts'
import { type AgentRequest, numberIn, respondJson } from './agent-request.ts'
import { serveExec, serveHostExec } from './exec-handler.ts'
import type { LinkServices } from './link-services.ts'
import { policyRoutes } from './policy-handlers.ts'
import { publishingRoutes } from './publishing-handlers.ts'
import { reach } from './reach.ts'
import { registryRoutes } from './registry-handlers.ts'
import { invalid, maxRequestBytes, parseJson, type Route } from './request-body.ts'
import { readHead } from './stream-io.ts'

/** `:` stands for one part of the path, given to the handler. */
const routes: readonly Route[] = [
  ['POST', '/v1/sync', (services, request) => services.sync(request)],
  ['GET', '/v1/instances/:/logs', serveLogs],
  ['POST', '/v1/instances/:/exec', serveExec],
  ['POST', '/v1/exec', serveHostExec],
  ['GET', '/v1/metrics/instances', serveMetrics],
  ['GET', '/v1/metrics/cores', serveCores],
  ['GET', '/v1/metrics/usage', serveUsage],
  ['POST', '/v1/builds/:', serveBuild],
  ['DELETE', '/v1/builds/:', cancelBuild],
  ['GET', '/v1/images/:/archive', serveArchive],
  ['PUT', '/v1/images', loadArchive],
  ['GET', '/v1/images', listImages],
  ['DELETE', '/v1/images/:', removeImage],
  ['POST', '/v1/images/resolve', resolveImage],
  ...registryRoutes,
  ...policyRoutes,
  ...addressRoutes,
  ...publishingRoutes,
  ['GET', '/v1/routes', serveRoutes],
  ['POST', '/v1/reach', serveReach],
  ['POST', '/v1/speed', serveSpeed],
  ['POST', '/v1/certificate/request', requestCertificate],
  ['PUT', '/v1/certificate', installCertificate],
  ['PUT', '/v1/executable', takeExecutable],
  ['POST', '/v1/config/plan', planConfig],
  ['PUT', '/v1/config', takeConfig],
]

/** Throws `request.not-found`. */
export async function handle(
  services: LinkServices,
  method: string,
  path: string,
  request: AgentRequest,
): Promise<void> {
  for (const [wantedMethod, pattern, handler] of routes) {
    if (method !== wantedMethod) continue
    const name = match(pattern, path)
    if (name !== undefined) return handler(services, request, name)
  }
  throw new BerthError(
    'request.not-found',
    `${method} ${path} is not known to this agent; is its version the server's?`,
  )
}

/** The part that stands for `:`, or '' where the pattern has none; undefined when it does not match. */
function match(pattern: string, path: string): string | undefined {
  const wanted = pattern.split('/')
  const found = path.split('/')
  if (wanted.length !== found.length) return undefined
  let name = ''
  for (const [index, part] of wanted.entries()) {
    if (part === ':') name = decodeURIComponent(found[index] ?? '')
    else if (part !== found[index]) return undefined
  }
  return name
}

async function serveLogs(
  services: LinkServices,
  { stream, query, signal }: AgentRequest,
  instance: string,
): Promise<void> {
  const tail = numberIn(query, 'tail')
  const sinceMs = numberIn(query, 'sinceMs')
  const lines = instanceLogs(services.logs, instance, {
    follow: query.get('follow') === 'true',
    ...(tail === undefined ? {} : { tail }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    signal,
  })
  await sendLines(stream, lines)
}

async function serveMetrics(services: LinkServices, { stream, query }: AgentRequest): Promise<void> {
  respondJson(stream, 200, { items: services.metricsSince(numberIn(query, 'sinceMs')) })
}

async function serveCores(services: LinkServices, { stream }: AgentRequest): Promise<void> {
  respondJson(stream, 200, services.coreReport())
}

async function serveUsage(services: LinkServices, { stream }: AgentRequest): Promise<void> {
  respondJson(stream, 200, services.usageReport())
}

async function serveBuild(services: LinkServices, { stream, signal }: AgentRequest, id: string): Promise<void> {
  const { line, rest } = await readHead(stream, maxRequestBytes)
  const request = parseJson(line) as BuildRequest
  if (request.id !== id) throw invalid(`the build's id is ${request.id} in the request and ${id} in the path`)
  await sendLines(stream, services.builds.build(request, Readable.from(rest), { signal }))
  services.onImage()
}

async function cancelBuild(services: LinkServices, { stream }: AgentRequest, id: string): Promise<void> {
  if (!services.builds.cancel(id)) throw new BerthError('build.not-found', `cancel build ${id}: it does not run here`)
  respondJson(stream, 200, {})
}

async function serveArchive({ engine }: LinkServices, { stream, signal }: AgentRequest, image: string): Promise<void> {
  if ((await engine.inspectImage(image, { signal })) === undefined) throw imageMissing(image)
  const archive = await engine.saveImage(image, { signal })
  stream.respond({ ':status': 200, 'content-type': 'application/x-tar' })
  await pipeline(archive, stream)
}

async function loadArchive(services: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  // Docker may stop reading: the stream is left open, so that what Docker said can be answered.
  const archive = Readable.from(stream.iterator({ destroyOnReturn: false }), { objectMode: false })
  const image = await services.engine.loadImage(archive, { signal })
  services.onImage()
  respondJson(stream, 200, { image })
}

async function listImages({ builds }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, { items: await builds.listImages({ signal }) })
}

async function removeImage({ builds }: LinkServices, { stream, signal }: AgentRequest, image: string): Promise<void> {
  await builds.removeImage(image, { signal })
  respondJson(stream, 200, {})
}

async function resolveImage(services: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  const { line } = await readHead(stream, maxRequestBytes)
  const { image, pull = 'missing', login } = parseJson(line) as Partial<ResolveImageRequest>
  if (typeof image !== 'string' || image === '') throw invalid('the body must be {"image": "<reference>"}')
  const found = await services.engine.inspectImage(image, { signal })
  const id =
    pull === 'never' || (pull === 'missing' && found !== undefined)
      ? found?.id
      : await pulled(services, image, found?.id, { signal, ...(login === undefined ? {} : { login }) })
  if (id === undefined) throw imageMissing(image)
  respondJson(stream, 200, { image: id })
}

async function serveRoutes({ routing }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, await routing.report({ signal }))
}

async function serveReach(_: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  const { line } = await readHead(stream, maxRequestBytes)
  const { targets } = parseJson(line) as { targets?: unknown }
  if (!Array.isArray(targets) || targets.length > maxTargets || !targets.every(isTarget)) {
    throw invalid(`the body must be {"targets": [{"address": "…", "port": 80}, …]}, at most ${maxTargets} of them`)
  }
  respondJson(stream, 200, { answered: await reach(targets, { signal }) })
}

async function serveSpeed(_: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  respondJson(stream, 200, { unitsPerSecond: await measureCoreSpeed({ signal }) })
}

const maxTargets = 32
const isTarget = (each: Partial<ReachTarget> | null): each is ReachTarget =>
  typeof each?.address === 'string' && isIP(each.address) !== 0 && Number.isInteger(each.port)

async function requestCertificate({ credentials }: LinkServices, { stream }: AgentRequest): Promise<void> {
  respondJson(stream, 200, await credentials.request())
}

async function installCertificate({ credentials }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  const { line } = await readHead(stream, maxRequestBytes)
  const { certificatePem, authorityPem } = parseJson(line) as Readonly<Record<string, unknown>>
  if (typeof certificatePem !== 'string' || typeof authorityPem !== 'string') {
    throw invalid('the body must be {"certificatePem": "…", "authorityPem": "…"}')
  }
  await credentials.install({ certificatePem, authorityPem }, { signal })
  respondJson(stream, 200, {})
}

async function takeExecutable(services: LinkServices, { stream, query, signal }: AgentRequest): Promise<void> {
  const [version, sha256] = [query.get('version') ?? '', query.get('sha256') ?? '']
  if (version === '' || !/^[0-9a-f]{64}$/.test(sha256))
    throw invalid('version and sha256 of the executable are missing')
  respondJson(stream, 200, { started: await services.upgrade({ version, sha256 }, stream, signal) })
}

async function planConfig({ nodeConfig }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  const { line } = await readHead(stream, maxRequestBytes)
  const { config } = parseJson(line) as { readonly config: NodeConfig }
  respondJson(stream, 200, await nodeConfig.plan(config, { signal }))
}

async function takeConfig({ nodeConfig }: LinkServices, { stream, signal }: AgentRequest): Promise<void> {
  const { line } = await readHead(stream, maxRequestBytes)
  await nodeConfig.take(parseJson(line) as ConfigOrder, { signal })
  respondJson(stream, 200, {})
}

/** Where the registry cannot be reached, what is here will do. */
async function pulled(
  { engine, onImage }: LinkServices,
  image: string,
  present: string | undefined,
  options: PullOptions & { readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { signal } = options
  try {
    await engine.pullImage(image, options)
  } catch (error) {
    if (present === undefined || signal.aborted) throw error
    return present
  }
  onImage()
  return (await engine.inspectImage(image, { signal }))?.id
}

/**
 * One JSON document a line. The head is sent with the first line, so that a failure before it is an answer that says why; what waits
 * for its first line is given a head at once.
 */
async function sendLines(stream: AgentRequest['stream'], documents: AsyncIterable<unknown>): Promise<void> {
  const iterator = documents[Symbol.asyncIterator]()
  const first = iterator.next()
  const pause = Promise.withResolvers<void>()
  const timer = setTimeout(pause.resolve, headPauseMs)
  try {
    await Promise.race([first, pause.promise])
  } finally {
    clearTimeout(timer)
  }
  stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson' })
  await pipeline(Readable.from(encodeLines(first, iterator)), stream)
}

const headPauseMs = 100

async function* encodeLines(
  first: Promise<IteratorResult<unknown>>,
  iterator: AsyncIterator<unknown>,
): AsyncGenerator<Buffer> {
  try {
    for (let next = await first; next.done !== true; next = await iterator.next()) {
      yield Buffer.from(`${JSON.stringify(next.value)}\n`)
    }
  } finally {
    await iterator.return?.()
  }
}

const imageMissing = (image: string): BerthError =>
  new BerthError('engine.image-missing', `image ${image} is not on this node`)
