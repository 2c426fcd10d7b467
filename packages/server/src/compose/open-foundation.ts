import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { BerthError } from '@berth/core'
import type { Logger } from 'pino'
import { Acme } from '../acme/acme.ts'
import { Sessions } from '../auth/sessions.ts'
import { Tokens } from '../auth/tokens.ts'
import { type Authority, openAuthority } from '../authority/authority.ts'
import { type AuthorityRoots, rootsInFile, rootsInStore } from '../authority/authority-roots.ts'
import { Certificates } from '../certificates/certificates.ts'
import { defaults, type ServerConfig } from '../config.ts'
import type { Traffic } from '../controllers/traffic.ts'
import { refuseUnfinished } from '../copies/copied-keys.ts'
import { FailoverPlans } from '../failover/failover-plans.ts'
import { makePrivateDirectory } from '../files/private-files.ts'
import { MetricSources } from '../gates/metric-sources.ts'
import { HookTargets } from '../hooks/hook-targets.ts'
import { Leadership } from '../leadership/index.ts'
import { Pipelines } from '../pipelines/pipelines.ts'
import { openState, Records, type State } from '../records/index.ts'
import { Registries } from '../registries/registries.ts'
import { RegistryTokens } from '../registry/registry-tokens.ts'
import { RelayPass } from '../relay/relay-pass.ts'
import { Routing } from '../routing/routing.ts'
import { openSecretKey, type SecretKey } from '../secrets/secret-key.ts'
import { Secrets } from '../secrets/secrets.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { parseStoreLocation, type StoreSettings } from '../store/store-location.ts'
import { Subscriptions } from '../subscriptions/subscriptions.ts'

/** What everything else stands on. */
export interface Foundation {
  /** The server's part of the state directory. */
  readonly directory: string
  readonly leadership: Leadership
  readonly store: Store
  readonly state: State
  readonly records: Records
  readonly authority: Authority
  /** For a server that joins. */
  readonly secretKey: string
  readonly acmeFor: (traffic: Pick<Traffic, 'routes'>) => Acme
  readonly relayPass: RelayPass
  readonly secrets: Secrets
  readonly certificates: Certificates
  readonly registries: Registries
  readonly pipelines: Pipelines
  readonly routing: Routing
  readonly failover: FailoverPlans
  readonly registryTokens: RegistryTokens
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly subscriptions: Subscriptions
  readonly hookTargets: HookTargets
  readonly metricSources: MetricSources
  /** When this server heard of checks of registered services. */
  readonly checksHeard: Map<string, number>
}

export interface FoundationOptions {
  readonly config: ServerConfig
  readonly log: Logger
  readonly stack: AsyncDisposableStack
  readonly onStoreFailure: (error: BerthError) => void
}

/** Opens store, state, keys and authority, each refusing to go on with what is missing or damaged. */
export async function openFoundation(options: FoundationOptions): Promise<Foundation> {
  const { config, log, stack } = options
  const directory = join(config.stateDir, 'server')
  await makePrivateDirectory(directory)
  const store = stack.use(await openConfiguredStore(options, directory))
  await refuseUnfinished(store)
  const state = stack.use(await openState(store, { log: log.child({ part: 'state' }) }))
  const leadership = stack.use(await joinServers(options, store, state))
  const records = new Records(store, state)
  const { secrets: values, certificates: pairs, registries: logins, authorities } = state
  const sealedPeers = [...state.routings.values()].flatMap(({ peers, tables = [] }) =>
    [...peers, ...tables].filter(({ sealed }) => sealed !== undefined),
  )
  const sealedHooks = state.pipelines.all().filter(({ sealed }) => sealed !== undefined)
  const sealedParts = sealedPeers.length + sealedHooks.length + state.acmeAccounts.size
  const sealedSubscriptions = [
    ...state.subscriptions.values(),
    ...state.hookTargets.values(),
    ...state.metricSources.values(),
  ].filter(({ sealed }) => sealed !== undefined)
  const sealedValuesExist =
    sealedSubscriptions.length > 0 || values.size + pairs.size + logins.size + authorities.size + sealedParts > 0
  const key = await openSecretKey(join(directory, 'secret.key'), { sealedValuesExist })
  const secrets = new Secrets({ records, key, log: log.child({ part: 'secrets' }) })
  secrets.verifyKey()
  const registries = new Registries({ records, key, log: log.child({ part: 'registries' }) })
  registries.verifyKey()
  const routing = new Routing({
    ...{ records, key, log: log.child({ part: 'routing' }) },
    domain: config.domain ?? defaults.domain,
  })
  routing.verifyKey()
  const tokens = new Tokens(records)
  return {
    ...{ directory, leadership, store, state, records, secrets, tokens },
    authority: await openTheAuthority(config, join(directory, 'authority'), records, key),
    secretKey: key.text,
    relayPass: new RelayPass(key),
    certificates: new Certificates({ records, key, log: log.child({ part: 'certificates' }) }),
    ...{ registries, routing, failover: new FailoverPlans(state) },
    pipelines: new Pipelines({ records, key, log: log.child({ part: 'pipelines' }) }),
    registryTokens: new RegistryTokens(key),
    acmeFor: (traffic) => new Acme(records, key, traffic),
    sessions: new Sessions(key, tokens),
    checksHeard: new Map(),
    subscriptions: new Subscriptions(records, key),
    hookTargets: new HookTargets(records, key),
    metricSources: new MetricSources(records, key),
  }
}

const storeSettings = (config: ServerConfig): StoreSettings => config.store ?? defaults.store

async function openConfiguredStore(
  { config, log, onStoreFailure }: FoundationOptions,
  directory: string,
): Promise<Store> {
  if (config.openSharedStore !== undefined) return await config.openSharedStore()
  return await openStore({
    ...{ settings: storeSettings(config), directory, worker: config.storeWorker },
    log: log.child({ part: 'store' }),
    onFailure: onStoreFailure,
  })
}

/** A file is one server's; an etcd may be several servers'. */
const isAlone = (config: ServerConfig): boolean =>
  config.openSharedStore === undefined && parseStoreLocation(storeSettings(config)).kind === 'sqlite'

async function joinServers({ config, log }: FoundationOptions, store: Store, state: State): Promise<Leadership> {
  const name = config.serverName ?? hostname()
  return await Leadership.join({
    ...{ store, state, alone: isAlone(config), log: log.child({ part: 'leadership' }) },
    member: { name, run: randomUUID(), version: config.version, startedAt: Date.now() },
    ...(config.leaseTimes === undefined ? {} : { times: config.leaseTimes }),
  })
}

/** In a file where this server is alone, else in the store; also if the records came from a store that has it. */
async function openTheAuthority(
  config: ServerConfig,
  directory: string,
  records: Records,
  key: SecretKey,
): Promise<Authority> {
  const lifetimes = config.certificates === undefined ? {} : { lifetimes: config.certificates.lifetimes }
  if (isAlone(config) && records.state.authorities.size === 0) return await openAuthority(directory, lifetimes)
  await makePrivateDirectory(directory)
  const roots = rootsInStore(records, key, rootsInFile(directory))
  const authority = await openAuthority(directory, { ...lifetimes, roots })
  if (records.state.authorities.size === 0) await adoptAuthority(roots)
  return authority
}

/** One that was founded in a file goes into the store. */
async function adoptAuthority(roots: AuthorityRoots): Promise<void> {
  const root = await roots.read()
  if (root !== undefined) await roots.write(root)
}
