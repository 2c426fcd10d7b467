import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { AgentPort } from '../agents/agent-port.ts'
import { Apps } from '../apps/apps.ts'
import { FailureLimit } from '../auth/failure-limit.ts'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import { Enrolment } from '../authority/enrolment.ts'
import { defaults, type ServerConfig } from '../config.ts'
import { Authenticator } from '../http/authenticate.ts'
import { createApi } from '../http/create-api.ts'
import { parseListenAddress } from '../http/listen-address.ts'
import { Listeners } from '../http/listeners.ts'
import { TrafficChanges } from '../http/listings/traffic-listings.ts'
import type { Services } from '../http/services.ts'
import { ServerMetrics } from '../metrics/server-metrics.ts'
import { Nodes } from '../nodes/nodes.ts'
import type { Foundation } from './open-foundation.ts'
import { advertisedHost, gatewayAddress, ownNames } from './server-addresses.ts'
import type { Control } from './start-control.ts'

/** Where a running server is reached. */
export interface Edge {
  readonly socketPath: string
  /** Absent: no TLS listener. */
  readonly apiPort?: number
  readonly agentPort: number
}

export interface EdgeOptions {
  readonly config: ServerConfig
  readonly foundation: Foundation
  readonly control: Control
  readonly log: Logger
  readonly stack: AsyncDisposableStack
  /** Ends streams and calls under way. */
  readonly stopping: AbortSignal
}

const renewalCheckMs = 12 * 3_600_000

/** Opens the agent port, the unix socket and the TLS port, in this order: who can be called can also act. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { config, foundation, log, stack } = options
  const names = ownNames(config.names)
  const certificate = await foundation.authority.serverCertificate(names)
  const agentPort = await openAgentPort(options, certificate)
  const agentPortNumber = await agentPort.listen()
  const local = new WeakSet<Socket>()
  const listen = config.listen === undefined ? undefined : parseListenAddress(config.listen)
  const services = createServices(options, agentPortNumber)
  stack.use(services.trafficChanges)
  const api = await createApi({
    ...{ services, log: log.child({ part: 'api' }), signal: options.stopping, console: config.console },
    authenticator: createAuthenticator(foundation, local),
    metrics: createMetrics(options),
  })
  const listeners = stack.use(new Listeners(api, local))
  const socketPath = join(config.runDir ?? defaults.runDir, 'server.sock')
  await listeners.listenLocal(socketPath)
  const operator = await operatorCertificate(config)
  const apiPort = listen === undefined ? undefined : await listeners.listenTls(listen, certificate, operator)
  stack.use(
    renewing(options, names, certificate, (renewed) => {
      agentPort.renew(renewed)
      listeners.renewTls(renewed)
    }),
  )
  log.info({ socketPath, apiPort, agentPort: agentPortNumber }, 'the server is up')
  return { socketPath, agentPort: agentPortNumber, ...(apiPort === undefined ? {} : { apiPort }) }
}

async function openAgentPort({ config, foundation, control, log, stack }: EdgeOptions, certificate: KeyPairPem) {
  return stack.use(
    new AgentPort({
      ...parseListenAddress(config.agentListen ?? defaults.agentListen),
      certificate,
      authorityPem: foundation.authority.certificatePem,
      state: foundation.state,
      log: log.child({ part: 'agents' }),
      onAgent: (node, socket) => control.agents.connect(node, socket),
    }),
  )
}

function createServices({ config, foundation, control }: EdgeOptions, agentPort: number): Services {
  const { state, records, authority, secrets, certificates, tokens, sessions } = foundation
  const { agents, traffic, operations, sources, buildOutputs } = control
  const gateway = gatewayAddress(config.gatewayUrl, config.gatewayHttpsPort ?? defaults.gatewayHttpsPort)
  const views = { state, traffic, gateway, isOnline: (node: string) => agents.isOnline(node) }
  const listen = config.listen === undefined ? undefined : parseListenAddress(config.listen)
  const advertised = `${advertisedHost(listen?.host ?? '127.0.0.1', config.names)}:${listen?.port ?? 0}`
  const addressPool = config.addressPool ?? defaults.addressPool
  return {
    info: {
      ...{ version: config.version, startedAt: Date.now(), agentPort, advertised },
      ...(config.gatewayUrl === undefined ? {} : { gatewayUrl: config.gatewayUrl }),
      ...(listen === undefined ? {} : { consoleUrl: `https://${advertised}` }),
    },
    ...{ records, views, operations, agents, sources, authority, secrets, certificates, tokens, sessions },
    trafficChanges: new TrafficChanges(views),
    apps: new Apps(records),
    nodes: new Nodes(records),
    enrolment: new Enrolment({ records, authority, addressPool }),
    buildOutputs: {
      read: (build, { follow, signal }) =>
        buildOutputs.tail(build, { follow, signal, hasEnded: () => state.builds.get(build)?.endedAt !== undefined }),
    },
  }
}

const createAuthenticator = ({ tokens, sessions }: Foundation, local: WeakSet<Socket>): Authenticator =>
  new Authenticator({
    ...{ tokens, sessions, limit: new FailureLimit() },
    isLocal: (socket) => local.has(socket),
    localIdentity: { actor: `local:${process.getuid?.() ?? 0}`, role: 'admin' },
  })

const createMetrics = ({ config, foundation, control }: EdgeOptions): ServerMetrics =>
  new ServerMetrics({
    state: foundation.state,
    version: config.version,
    isOnline: (node) => control.agents.isOnline(node),
    isConnected: (node) => control.agents.isConnected(node),
  })

/** A certificate that the operator gave. */
async function operatorCertificate({ tls }: ServerConfig): Promise<KeyPairPem | undefined> {
  if (tls === undefined) return undefined
  try {
    const [certificatePem, keyPem] = await Promise.all([
      readFile(tls.certificateFile, 'utf8'),
      readFile(tls.keyFile, 'utf8'),
    ])
    return { certificatePem, keyPem }
  } catch (cause) {
    throw new BerthError('server.certificate-unreadable', `read the API's certificate: ${messageOf(cause)}`, { cause })
  }
}

/** Asks the authority now and then: it gives the same certificate until the last third of its life, then a new one. */
function renewing(
  { foundation, log }: EdgeOptions,
  names: readonly string[],
  first: KeyPairPem,
  onRenewed: (certificate: KeyPairPem) => void,
): Disposable {
  let current = first
  const check = async (): Promise<void> => {
    const next = await foundation.authority.serverCertificate(names)
    if (next.certificatePem === current.certificatePem) return
    current = next
    onRenewed(next)
    log.info('the server’s certificate was renewed')
  }
  const timer = setInterval(() => {
    check().catch((error: unknown) => log.error({ err: error }, `renew the server's certificate: ${messageOf(error)}`))
  }, renewalCheckMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
