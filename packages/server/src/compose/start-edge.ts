import { statfs } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type Node, roomProblem } from '@berth/core'
import type { Logger } from 'pino'
import { AddressPools } from '../addresses/address-pools.ts'
import { AddressUses } from '../addresses/address-uses.ts'
import { AgentPort } from '../agents/agent-port.ts'
import { RefusedAgents } from '../agents/refused-agents.ts'
import { ApprovalRules } from '../approvals/approval-rules.ts'
import { Approvals } from '../approvals/approvals.ts'
import { Apps } from '../apps/apps.ts'
import { FailureLimit } from '../auth/failure-limit.ts'
import { CertificateKeeper } from '../authority/certificate-keeper.ts'
import { Enrolment } from '../authority/enrolment.ts'
import { ServerAdmission } from '../authority/server-admission.ts'
import { defaults, type ServerConfig } from '../config.ts'
import { checkPassphrase } from '../copies/key-files.ts'
import { writeBackup } from '../copies/write-backup.ts'
import { Domains } from '../domains/domains.ts'
import { Externals } from '../externals/externals.ts'
import { FailoverAddresses } from '../failover/failover-addresses.ts'
import { Freezes } from '../freezes/freezes.ts'
import { Groups } from '../groups/groups.ts'
import { Authenticator } from '../http/authenticate.ts'
import { createApi } from '../http/create-api.ts'
import { parseListenAddress } from '../http/listen-address.ts'
import { Listeners } from '../http/listeners.ts'
import { TrafficChanges } from '../http/listings/traffic-listings.ts'
import type { Backups, Services } from '../http/services.ts'
import { Lans } from '../lans/lans.ts'
import { gatherCoreUse } from '../metrics/gather-core-use.ts'
import { ServerMetrics } from '../metrics/server-metrics.ts'
import { NodeConfigs } from '../node-config/node-configs.ts'
import { NodeSpeed } from '../nodes/node-speed.ts'
import { NodeUpgrade } from '../nodes/node-upgrade.ts'
import { Nodes } from '../nodes/nodes.ts'
import { Webhooks } from '../pipelines/webhooks.ts'
import { Profiles } from '../policy/profiles.ts'
import { BuildOutputReader } from '../relay/build-output-reader.ts'
import { Relay } from '../relay/relay.ts'
import { NodeRoutes } from '../routing/node-routes.ts'
import { MaintenancePages } from '../traffic/maintenance-pages.ts'
import type { Control } from './control.ts'
import type { Foundation } from './open-foundation.ts'
import { advertisedHost, gatewayAddress, ownNames } from './server-addresses.ts'
import { type Discovery, startDiscovery } from './start-discovery.ts'

/** Where a running server is reached. */
export interface Edge {
  readonly socketPath: string
  /** Absent: no TLS listener. */
  readonly apiPort?: number
  readonly agentPort: number
  /** Where programs made for Consul call. Absent: nowhere. */
  readonly discovery?: Pick<Discovery, 'port' | 'tlsPort'>
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

/** Opens the agent port, the unix socket and the TLS port, in this order: who can be called can also act. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { config, foundation, log, stack } = options
  const keeper = stack.use(await openKeeper(options))
  const refused = new RefusedAgents()
  const agentPort = openAgentPort(options, keeper, refused)
  const agentPortNumber = await agentPort.listen()
  const local = new WeakSet<Socket>()
  const listen = config.listen === undefined ? undefined : parseListenAddress(config.listen)
  const services = createServices(options, agentPortNumber, keeper, refused)
  stack.use(services.trafficChanges)
  const api = await createApi({
    ...{ services, log: log.child({ part: 'api' }), signal: options.stopping, console: config.console },
    authenticator: createAuthenticator(foundation, local),
    metrics: createMetrics(options),
  })
  const listeners = stack.use(new Listeners(api, local))
  const socketPath = join(config.runDir ?? defaults.runDir, 'server.sock')
  await listeners.listenLocal(socketPath)
  const apiPort = listen === undefined ? undefined : await listeners.listenTls(listen, keeper.server, keeper.operator)
  const discovery = await startDiscovery({
    ...{ config, foundation, stack, stopping: options.stopping, log: log.child({ part: 'discovery' }) },
    certificate: keeper.operator ?? keeper.server,
  })
  await keeper.watch({
    onServerCertificate: (renewed) => {
      if (keeper.operator === undefined) discovery?.renewTls(renewed)
      agentPort.renew(renewed, foundation.authority.trustPem)
      listeners.renewTls(renewed)
    },
    onOperatorCertificate: (renewed) => {
      listeners.renewOperator(renewed)
      discovery?.renewTls(renewed)
    },
    onRotated: () => options.control.renewals.lookAtAll(),
  })
  await describeServer(options, agentPortNumber, apiPort)
  log.info({ socketPath, apiPort, agentPort: agentPortNumber }, 'the server is up')
  return {
    ...{ socketPath, agentPort: agentPortNumber },
    ...(apiPort === undefined ? {} : { apiPort }),
    ...(discovery === undefined ? {} : { discovery }),
  }
}

/** From now on others find it. */
async function describeServer({ config, foundation }: EdgeOptions, agentPort: number, apiPort: number | undefined) {
  const at = (listen: string, port: number): string =>
    `${advertisedHost(parseListenAddress(listen).host, config.names)}:${port}`
  await foundation.leadership.describe({
    agentAddress: at(config.agentListen ?? defaults.agentListen, agentPort),
    ...(config.listen === undefined || apiPort === undefined ? {} : { apiAddress: at(config.listen, apiPort) }),
  })
}

async function openKeeper({ config, foundation, log }: EdgeOptions): Promise<CertificateKeeper> {
  const { authority, records, leadership } = foundation
  return await CertificateKeeper.open({
    ...{ authority, records, names: ownNames(config.names), log: log.child({ part: 'certificates' }) },
    mayRotate: () => leadership.term('upkeep') !== undefined,
    ...(config.tls === undefined ? {} : { operator: config.tls }),
    ...(config.certificates === undefined ? {} : { checkMs: config.certificates.checkMs }),
  })
}

function openAgentPort(
  { config, foundation, control, log, stack }: EdgeOptions,
  keeper: CertificateKeeper,
  refused: RefusedAgents,
): AgentPort {
  return stack.use(
    new AgentPort({
      ...parseListenAddress(config.agentListen ?? defaults.agentListen),
      certificate: keeper.server,
      authorityPem: foundation.authority.trustPem,
      state: foundation.state,
      log: log.child({ part: 'agents' }),
      refused,
      onAgent: (node, socket, certificate) => {
        control.agents.connect(node, socket)
        control.renewals.connected(node, certificate)
      },
    }),
  )
}

function createServices(
  options: EdgeOptions,
  agentPort: number,
  keeper: CertificateKeeper,
  refused: RefusedAgents,
): Services {
  const { config, foundation, control, stack } = options
  const { state, records, authority, secrets, certificates, registries, routing, tokens, sessions, pipelines } =
    foundation
  const { agents, traffic, requests, acme, operations, books, images, registry, sources, looks, buildOutputs } = control
  const gateway = gatewayAddress(config.gatewayUrl, config.gatewayHttpsPort ?? defaults.gatewayHttpsPort)
  const nodes = new Nodes(records)
  const { version } = config
  const { name, isAlone } = foundation.leadership
  const relay = new Relay({
    ...{ state, name, isAlone, pass: foundation.relayPass, authorityPem: () => authority.trustPem },
  })
  const views = {
    ...{ state, traffic, gateway, version, isOnline: (node: string) => agents.isOnline(node) },
    saidByAgent: (node: string) => agents.saidByAgent(node),
    twinProblem: (node: string) => agents.twinProblem(node),
    whyRefused: ({ name, address }: Node) =>
      refused.whyOf(name, performance.now()) ?? refused.whyOf(address, performance.now()),
  }
  const listen = config.listen === undefined ? undefined : parseListenAddress(config.listen)
  const advertised = `${advertisedHost(listen?.host ?? '127.0.0.1', config.names)}:${listen?.port ?? 0}`
  const addressPool = config.addressPool ?? defaults.addressPool
  const domain = config.domain ?? defaults.domain
  const addressPools = new AddressPools({ records, range: addressPool, agents })
  return {
    info: {
      ...{ version: config.version, startedAt: Date.now(), agentPort, advertised, domain },
      ...(config.gatewayUrl === undefined ? {} : { gatewayUrl: config.gatewayUrl }),
      ...(listen === undefined ? {} : { consoleUrl: `https://${advertised}` }),
    },
    ...{
      records,
      views,
      requests,
      acme,
      operations,
      books,
      agents,
      images,
      sources,
      authority,
      secrets,
      certificates,
      registries,
      routing,
      registry,
      tokens,
      sessions,
    },
    ...{ pipelines, looks },
    webhooks: new Webhooks({ records, state, pipelines, looks, relay, log: options.log.child({ part: 'hooks' }) }),
    store: foundation.store,
    backups: createBackups(options),
    coreUse: (node, signal) => gatherCoreUse(agents, node, signal),
    nodeRoutes: new NodeRoutes(state, agents),
    addressPools,
    addressUses: stack.use(new AddressUses({ state, pools: addressPools, agents, domain })),
    certificateProblems: () => keeper.problems(),
    machineProblems: () => roomBelow(foundation.directory, name),
    trafficChanges: new TrafficChanges(views),
    apps: new Apps(records),
    nodes,
    servers: {
      ...{ name, isAlone },
      silentMs: () => foundation.leadership.silentMs,
      secretKey: foundation.secretKey,
    },
    serverAdmission: new ServerAdmission({ records, authority }),
    nodeSpeed: new NodeSpeed(state, nodes, agents),
    nodeUpgrade: new NodeUpgrade({ records, nodes, agents, version, executable: config.executable }),
    nodeConfigs: new NodeConfigs({ records, sources, agents }),
    groups: new Groups(records),
    profiles: new Profiles(records),
    externals: new Externals(records, { domain, addressPools: () => addressPools.ranges() }),
    domains: new Domains(records, domain),
    subscriptions: foundation.subscriptions,
    maintenance: new MaintenancePages(records, traffic),
    lans: new Lans({
      records,
      pools: () => addressPools.all().map(({ name, range }) => ({ what: `the address pool ${name}`, range })),
    }),
    failoverPlans: foundation.failover,
    failoverAddresses: new FailoverAddresses({
      records,
      pools: () => addressPools.taken(),
    }),
    approvals: new Approvals(records),
    metricSources: foundation.metricSources,
    freezes: new Freezes(records),
    approvalRules: new ApprovalRules(records),
    hookTargets: foundation.hookTargets,
    enrolment: new Enrolment({ records, authority, addressPool }),
    relay,
    buildOutputs: new BuildOutputReader({ state, relay, outputs: buildOutputs }),
  }
}

async function roomBelow(directory: string, server: string): Promise<readonly string[]> {
  const free = await statfs(directory).catch(() => undefined)
  const problem = free && roomProblem(directory, free.bavail * free.bsize)
  return problem === undefined ? [] : [`server ${server}: ${problem}`]
}

function createBackups({ config, foundation, log }: EdgeOptions): Backups {
  const { store, directory } = foundation
  return {
    create: (actor, { passphrase, signal }) => {
      if (passphrase !== undefined) checkPassphrase(passphrase)
      log.info({ actor, keys: passphrase !== undefined }, 'a backup is taken')
      return writeBackup({ store, directory, version: config.version, now: Date.now() }, { passphrase, signal })
    },
  }
}

const createAuthenticator = ({ tokens, sessions, relayPass }: Foundation, local: WeakSet<Socket>): Authenticator =>
  new Authenticator({
    ...{ tokens, sessions, relayPass, limit: new FailureLimit() },
    isLocal: (socket) => local.has(socket),
    localIdentity: { actor: `local:${process.getuid?.() ?? 0}`, role: 'admin' },
  })

const createMetrics = ({ config, foundation, control }: EdgeOptions): ServerMetrics =>
  new ServerMetrics({
    state: foundation.state,
    version: config.version,
    isOnline: (node) => control.agents.isOnline(node),
    isConnected: (node) => control.agents.isConnected(node),
    requests: () => control.requests.totals(),
  })
