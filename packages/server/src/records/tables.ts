import {
  type App,
  type Approval,
  type ApprovalRule,
  type BerthEvent,
  type Build,
  type ConfigRollout,
  type ConfigVersion,
  type CronRecord,
  defaultGroup,
  type FailoverAddress,
  type Freeze,
  type Instance,
  type InstanceStatus,
  type KeptAddress,
  type Node,
  type NodeConfigRecord,
  type NodeGroup,
  type NodeStatus,
  type Pipeline,
  type Pool,
  type Rebalance,
  type RegisteredService,
  type Release,
  type Rollout,
  type SeenRefs,
  type SubscriptionPosition,
  type Token,
} from '@berth/core'
import { AddressColumn, DigestColumn, NumberColumn, TextColumn } from './columns.ts'
import { PackedRows } from './packed-rows.ts'
import { entrypointId, poolId, releaseId, secretId } from './record-kinds.ts'
import { RecordTable } from './record-table.ts'
import type {
  AcmeAccount,
  AcmeChallenge,
  AcmeFailure,
  AddressPoolRecord,
  AuthorityRecord,
  CertificateRecord,
  CloudTableStatus,
  DomainRecord,
  ExternalRecord,
  Fence,
  HookTargetRecord,
  ImageRegistryRecord,
  JoinToken,
  KeyValueRecord,
  LanRecord,
  LeaderRecord,
  MaintenanceRecord,
  MemberRecord,
  MetricSourceRecord,
  ProfileRecord,
  RecordKind,
  RecordTypes,
  RegistryRecord,
  RoutingRecord,
  SecretRecord,
  SubscriptionRecord,
} from './record-types.ts'

/** One table a kind, each with the look-ups that its readers need. */
export type Tables = { readonly [K in RecordKind]: RecordTable<RecordTypes[K]> } & {
  readonly releases: ReleaseTable
  readonly builds: BuildTable
  readonly pools: PoolTable
  readonly rollouts: RolloutTable
  readonly instances: InstanceTable
  readonly statuses: StatusTable
  readonly nodes: NodeTable
  readonly groups: GroupTable
  readonly configVersions: VersionTable<ConfigVersion>
  readonly configRollouts: VersionTable<ConfigRollout>
  readonly approvals: EntrypointTable<Approval>
  readonly crons: EntrypointTable<CronRecord>
  readonly keptAddresses: KeptAddressTable
  readonly secrets: SecretTable
  readonly registeredServices: RegisteredServiceTable
}

export const createTables = (): Tables => ({
  apps: new RecordTable<App>(),
  releases: new ReleaseTable(),
  builds: new BuildTable(),
  pipelines: new RecordTable<Pipeline>(),
  seenRefs: new RecordTable<SeenRefs>(),
  pools: new PoolTable(),
  rollouts: new RolloutTable(),
  instances: new InstanceTable(),
  statuses: new StatusTable(),
  nodes: new NodeTable(),
  nodeStatuses: new RecordTable<NodeStatus>(),
  groups: new GroupTable(),
  rebalances: new RecordTable<Rebalance>(),
  configVersions: new VersionTable<ConfigVersion>(),
  configRollouts: new VersionTable<ConfigRollout>(),
  nodeConfigs: new RecordTable<NodeConfigRecord>(),
  profiles: new RecordTable<ProfileRecord>(),
  externals: new RecordTable<ExternalRecord>(),
  domains: new RecordTable<DomainRecord>(),
  keyValues: new RecordTable<KeyValueRecord>(),
  subscriptions: new RecordTable<SubscriptionRecord>(),
  subscriptionPositions: new RecordTable<SubscriptionPosition>(),
  registeredServices: new RegisteredServiceTable(),
  maintenance: new RecordTable<MaintenanceRecord>(),
  acmeAccounts: new RecordTable<AcmeAccount>(),
  acmeFailures: new RecordTable<AcmeFailure>(),
  acmeChallenges: new RecordTable<AcmeChallenge>(),
  approvals: new EntrypointTable<Approval>(),
  crons: new EntrypointTable<CronRecord>(),
  keptAddresses: new KeptAddressTable(),
  fences: new RecordTable<Fence>(),
  secrets: new SecretTable(),
  tokens: new RecordTable<Token>(),
  joinTokens: new RecordTable<JoinToken>(),
  certificates: new RecordTable<CertificateRecord>(),
  registries: new RecordTable<RegistryRecord>(),
  imageRegistries: new RecordTable<ImageRegistryRecord>(),
  addressPools: new RecordTable<AddressPoolRecord>(),
  lans: new RecordTable<LanRecord>(),
  failoverAddresses: new RecordTable<FailoverAddress>(),
  cloudTables: new RecordTable<CloudTableStatus>(),
  routings: new RecordTable<RoutingRecord>(),
  metricSources: new RecordTable<MetricSourceRecord>(),
  approvalRules: new RecordTable<ApprovalRule>(),
  hookTargets: new RecordTable<HookTargetRecord>(),
  freezes: new RecordTable<Freeze>(),
  authorities: new RecordTable<AuthorityRecord>(),
  members: new RecordTable<MemberRecord>(),
  leaders: new RecordTable<LeaderRecord>(),
  events: new RecordTable<BerthEvent>(),
})

export class ReleaseTable extends RecordTable<Release> {
  readonly #byApp = this.index((release) => release.app)
  readonly #byImage = this.index((release) => release.image)
  /** Oldest first. */
  byApp(app: string): Release[] {
    return this.#byApp.get(app).sort((a, b) => releaseNumber(a.id) - releaseNumber(b.id))
  }
  byImage(image: string): Release[] {
    return this.#byImage.get(image)
  }
  find(app: string, release: string): Release | undefined {
    return this.get(releaseId(app, release))
  }
}

export class BuildTable extends RecordTable<Build> {
  readonly #byApp = this.index((build) => build.app)
  readonly #byInputs = this.index((build) => build.inputs)
  byApp(app: string): Build[] {
    return this.#byApp.get(app)
  }
  byInputs(inputs: string): Build[] {
    return this.#byInputs.get(inputs)
  }
}

export class PoolTable extends RecordTable<Pool> {
  readonly #byApp = this.index((pool) => pool.app)
  byApp(app: string): Pool[] {
    return this.#byApp.get(app)
  }
  find(app: string, pool: string): Pool | undefined {
    return this.get(poolId(app, pool))
  }
}

export class RolloutTable extends RecordTable<Rollout> {
  readonly #byApp = this.index((rollout) => rollout.app)
  readonly #byPool = this.index((rollout) => poolId(rollout.app, rollout.pool))
  byApp(app: string): Rollout[] {
    return this.#byApp.get(app)
  }
  byPool(app: string, pool: string): Rollout[] {
    return this.#byPool.get(poolId(app, pool))
  }
}

/** Of one entrypoint of one pool: `shop.production.web-`. */
const entrypointOfId = (id: string): string => id.slice(0, id.lastIndexOf('-') + 1)

export class InstanceTable extends RecordTable<Instance> {
  readonly #byApp = this.index((instance) => instance.app)
  readonly #byPool = this.index((instance) => poolId(instance.app, instance.pool))
  readonly #byNode = this.index((instance) => instance.node)
  readonly #draining = this.index((instance) => (instance.desired === 'drain' ? 'draining' : undefined))
  readonly #unplaced = this.index((instance) => (instance.node === undefined ? 'unplaced' : undefined))
  readonly #borrowed = this.index(({ borrowedFrom, address }) => (borrowedFrom === undefined ? undefined : address))
  readonly #waiting = this.index(({ node, app, pool }) => (node === undefined ? poolId(app, pool) : undefined))
  constructor() {
    const columns = {
      ordinal: new NumberColumn(),
      node: new TextColumn(),
      address: new AddressColumn(),
      createdAt: new NumberColumn(),
    }
    super(new PackedRows({ columns, kindOf: entrypointOfId }))
  }
  byApp(app: string): Instance[] {
    return this.#byApp.get(app)
  }
  byPool(app: string, pool: string): Instance[] {
    return this.#byPool.get(poolId(app, pool))
  }
  idsByPool(app: string, pool: string): string[] {
    return this.#byPool.ids(poolId(app, pool))
  }
  /** What one field is in a pool's, each value once. */
  valuesInPool<K extends Exclude<keyof Instance, 'id'>>(app: string, pool: string, name: K): Set<Instance[K]> {
    return this.#byPool.values(poolId(app, pool), name)
  }
  byNode(node: string): Instance[] {
    return this.#byNode.get(node)
  }
  countOnNode(node: string): number {
    return this.#byNode.ids(node).length
  }
  /** Those that are leaving traffic. */
  draining(): Instance[] {
    return this.#draining.get('draining')
  }
  /** Those that no node has been found for yet. */
  unplaced(): Instance[] {
    return this.#unplaced.get('unplaced')
  }
  /** Those with an address that was borrowed of another node's block. */
  borrowers(): Instance[] {
    return [...this.#borrowed.keys()].flatMap((address) => this.#borrowed.get(address))
  }
  borrowersOf(address: string): Instance[] {
    return this.#borrowed.get(address)
  }
  /** Ids of the pools that have such. */
  waitingPools(): string[] {
    return [...this.#waiting.keys()]
  }
}

export class StatusTable extends RecordTable<InstanceStatus> {
  readonly #byNode = this.index((status) => status.node)
  constructor() {
    const columns = {
      node: new TextColumn(),
      address: new AddressColumn(),
      createdAt: new NumberColumn(),
      startedAt: new NumberColumn(),
      readyAt: new NumberColumn(),
      pid: new NumberColumn(),
      containerId: new DigestColumn(),
    }
    super(new PackedRows({ columns, kindOf: entrypointOfId }))
  }
  byNode(node: string): InstanceStatus[] {
    return this.#byNode.get(node)
  }
}

export class NodeTable extends RecordTable<Node> {
  readonly #byBlock = this.index((node) => node.block)
  /** Whose a further block is. */
  readonly #further = new Map<string, string>()

  /** Some node has it, as its first or as another. */
  hasBlock(block: string): boolean {
    return this.#byBlock.has(block) || this.#further.has(block)
  }

  /** Whose it is. */
  withBlock(block: string): Node | undefined {
    return this.#byBlock.get(block)[0] ?? this.get(this.#further.get(block) ?? '')
  }

  override set(id: string, record: Node | undefined, modRevision: number): Node | undefined {
    const before = super.set(id, record, modRevision)
    // Another may have it by now.
    for (const { block } of before?.furtherBlocks ?? [])
      if (this.#further.get(block) === id) this.#further.delete(block)
    for (const { block } of record?.furtherBlocks ?? []) this.#further.set(block, id)
    return before
  }
}

export class GroupTable extends RecordTable<NodeGroup> {
  /** `default` exists whether or not anybody has changed it. */
  find(name: string): NodeGroup | undefined {
    return this.get(name) ?? (name === defaultGroup.name ? defaultGroup : undefined)
  }
  /** By name. */
  each(): NodeGroup[] {
    const own = this.all()
    const all = this.has(defaultGroup.name) ? own : [defaultGroup, ...own]
    return all.sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

/** What has a number that grows. */
export class VersionTable<T extends { readonly version: number }> extends RecordTable<T> {
  /** The newest first. */
  newest(): T[] {
    return this.all().sort((a, b) => b.version - a.version)
  }
  find(version: number): T | undefined {
    return this.get(String(version))
  }
}

/** What belongs to one entrypoint of one pool. */
export class EntrypointTable<
  T extends { readonly app: string; readonly pool: string; readonly entrypoint: string },
> extends RecordTable<T> {
  readonly #byApp = this.index((record) => record.app)
  readonly #byPool = this.index((record) => poolId(record.app, record.pool))
  byApp(app: string): T[] {
    return this.#byApp.get(app)
  }
  byPool(app: string, pool: string): T[] {
    return this.#byPool.get(poolId(app, pool))
  }
  find(app: string, pool: string, entrypoint: string): T | undefined {
    return this.get(entrypointId(app, pool, entrypoint))
  }
}

export class KeptAddressTable extends RecordTable<KeptAddress> {
  readonly #byPool = this.index((kept) => poolId(kept.app, kept.pool))
  readonly #bySlot = this.index(slotId)
  byPool(app: string, pool: string): KeptAddress[] {
    return this.#byPool.get(poolId(app, pool))
  }
  /** Undefined: that slot has none yet. */
  find(of: Pick<KeptAddress, 'app' | 'pool' | 'entrypoint' | 'slot'>): KeptAddress | undefined {
    return this.#bySlot.get(slotId(of))[0]
  }
}

const slotId = ({ app, pool, entrypoint, slot }: Pick<KeptAddress, 'app' | 'pool' | 'entrypoint' | 'slot'>): string =>
  `${entrypointId(app, pool, entrypoint)}/${slot}`

export class RegisteredServiceTable extends RecordTable<RegisteredService> {
  /** Whose a check is. */
  readonly #ofCheck = new Map<string, string>()

  byCheck(check: string): RegisteredService | undefined {
    const id = this.#ofCheck.get(check)
    return id === undefined ? undefined : this.get(id)
  }

  override set(id: string, record: RegisteredService | undefined, modRevision: number): RegisteredService | undefined {
    const before = super.set(id, record, modRevision)
    for (const check of before?.checks ?? []) if (this.#ofCheck.get(check.id) === id) this.#ofCheck.delete(check.id)
    for (const check of record?.checks ?? []) this.#ofCheck.set(check.id, id)
    return before
  }
}

export class SecretTable extends RecordTable<SecretRecord> {
  readonly #byApp = this.index((secret) => secret.app)
  byApp(app: string): SecretRecord[] {
    return this.#byApp.get(app)
  }
  find(app: string, environment: string | undefined, name: string): SecretRecord | undefined {
    return this.get(secretId(app, environment, name))
  }
}

/** 7 of `v7`. */
export const releaseNumber = (release: string): number => Number(release.slice(1))
