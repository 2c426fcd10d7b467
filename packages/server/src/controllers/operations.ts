import type { CapacityView, ImaginedNodes, PlanView, ResizeView, SavedPlan } from '@berth/api'
import type { Build, Instance, InstancePorts, Move, NetworkAttachment, Pool, Rebalance, Rollout } from '@berth/core'

/** On whose behalf. Every record and event written carries the actor. */
export interface CallContext {
  /** `local:0`, `token:ci`, `node:a`. */
  readonly actor: string
  readonly signal?: AbortSignal
}

/** Where an app's source is; absent fields stay as the app has them. */
export interface SourceArguments {
  readonly repository?: string
  readonly vcs?: 'git' | 'svn'
}

export interface DeployArguments extends SourceArguments {
  readonly app: string
  readonly pool: string
  /** Branch, tag or commit. */
  readonly ref: string
  /** A ready release instead of a commit. */
  readonly release?: string
  /** Deploys over a rollout under way (which is aborted) and although nothing has changed. */
  readonly force: boolean
  /** Why it goes on although deploys are frozen. */
  readonly overrideFreeze?: string
}

export interface PlanArguments extends SourceArguments {
  readonly app: string
  readonly pool: string
  readonly ref?: string
  readonly release?: string
  readonly replicas?: Readonly<Record<string, number>>
  /** Nodes that are thought away, and others that are imagined. */
  readonly without?: readonly string[]
  readonly with?: readonly ImaginedNodes[]
}

export interface BuildArguments extends SourceArguments {
  readonly app: string
  readonly ref: string
  readonly noReuse: boolean
}

export interface PromoteArguments {
  readonly app: string
  readonly from?: string
  readonly to?: string
  /** `v7` */
  readonly release?: string
  /** Although it has not succeeded in the environment before; needs a reason. */
  readonly force: boolean
  readonly reason?: string
}

export interface PoolArguments {
  readonly app: string
  readonly pool: string
}

export interface ScaleArguments extends PoolArguments {
  readonly replicas: Readonly<Record<string, number>>
  /** Answers the pool as it would be and writes nothing. */
  readonly dryRun: boolean
}

export interface SizeArguments {
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly inBitsPerSecond?: number
  readonly outBitsPerSecond?: number
  /** Back to what berth.yaml says; an instance: to what its entrypoint has. */
  readonly asWritten: boolean
  /** Answers what would become of each instance and writes nothing. */
  readonly dryRun: boolean
}

export interface ResizeArguments extends PoolArguments, SizeArguments {
  readonly entrypoint: string
}

export interface ResizeInstanceArguments extends SizeArguments {
  readonly id: string
}

export interface MoveArguments extends PoolArguments {
  /** null: where its berth.yaml says. */
  readonly group: string | null
}

export interface RebalanceArguments {
  readonly group: string
  readonly moves: number
  /** So many at a time. */
  readonly disruption: number
}

export interface PoolMove {
  readonly pool: Pool
  /** Absent: nothing runs there, or nothing had to change. */
  readonly rollout?: Rollout
}

export interface JobArguments extends PoolArguments {
  readonly entrypoint?: string
  readonly command?: readonly string[]
  readonly release?: string
}

export interface CronArguments extends PoolArguments {
  readonly entrypoint: string
}

/**
 * Everything that callers of the API may have done to apps, pools, builds, rollouts and instances. Each call writes what should be and
 * returns once the state shows it; the controllers make it true whether or not anybody waits. Failures are `BerthError`s such as
 * `app.not-found`, `pool.not-found`, `rollout.in-progress`.
 */
export interface Operations {
  deploy(deploy: DeployArguments, context: CallContext): Promise<{ readonly build?: Build; readonly rollout?: Rollout }>
  plan(plan: PlanArguments, context: CallContext): Promise<PlanView>
  /** Throws `plan.stale` when something that the plan stands on has changed. */
  applyPlan(plan: SavedPlan, context: CallContext): Promise<{ readonly pool: Pool; readonly rollout?: Rollout }>
  planRebalance(rebalance: Omit<RebalanceArguments, 'disruption'>): readonly Move[]
  startRebalance(rebalance: RebalanceArguments, context: CallContext): Promise<Rebalance>
  stopRebalance(group: string, context: CallContext): Promise<Rebalance>
  capacity(pool: PoolArguments & Pick<PlanArguments, 'without' | 'with'>): readonly CapacityView[]
  startBuild(build: BuildArguments, context: CallContext): Promise<Build>
  cancelBuild(id: string, context: CallContext): Promise<Build>
  /** Throws `promotion.*`, `release.not-tested` and what a deploy of a release throws. */
  promote(
    promote: PromoteArguments,
    context: CallContext,
  ): Promise<{ readonly rollout: Rollout; readonly from: string }>
  scale(scale: ScaleArguments, context: CallContext): Promise<Pool>
  resize(resize: ResizeArguments, context: CallContext): Promise<ResizeView>
  resizeInstance(resize: ResizeInstanceArguments, context: CallContext): Promise<ResizeView>
  restart(pool: PoolArguments, context: CallContext): Promise<Rollout>
  rollback(pool: PoolArguments & { readonly to?: string }, context: CallContext): Promise<Rollout>
  movePool(move: MoveArguments, context: CallContext): Promise<PoolMove>
  removeApp(app: string, context: CallContext): Promise<void>
  removePool(pool: PoolArguments, context: CallContext): Promise<void>
  runJob(job: JobArguments, context: CallContext): Promise<Instance>
  runCron(cron: CronArguments, context: CallContext): Promise<Instance>
  pauseRollout(id: string, context: CallContext): Promise<Rollout>
  resumeRollout(id: string, context: CallContext): Promise<Rollout>
  abortRollout(id: string, context: CallContext): Promise<Rollout>
  /** One yes of those that it waits for before it begins. Throws `approval.own`, `approval.twice`, `rollout.no-such-step`. */
  approveRollout(id: string, context: CallContext): Promise<Rollout>
  /** The stage under way ends whatever its gates say. Throws `rollout.no-such-step`. */
  skipStage(id: string, context: CallContext): Promise<Rollout>
  /** A person's yes to the stage under way. Throws `rollout.no-such-step`. */
  continueRollout(id: string, context: CallContext): Promise<Rollout>
  /** Back to where it came from, whether it is under way or has ended; it takes over from whoever holds the pool. */
  rollbackRollout(id: string, context: CallContext): Promise<Rollout>
  restartInstance(id: string, context: CallContext): Promise<Instance>
  /** Throws `publish.port-taken`, `publish.host-network`, `instance.not-running`. */
  publishPort(id: string, port: InstancePorts, context: CallContext, listening?: readonly number[]): Promise<Instance>
  /** Throws `publish.not-found`. */
  unpublishPort(id: string, port: Omit<InstancePorts, 'port'>, context: CallContext): Promise<Instance>
  /** Throws `attach.no-network`, `attach.impossible`, `attach.address-taken`, `attach.too-many`, `instance.not-running`. */
  attachNetwork(id: string, network: NetworkAttachment, context: CallContext): Promise<Instance>
  /** Throws `attach.not-found`, `attach.of-entrypoint`. */
  detachNetwork(id: string, network: string, context: CallContext): Promise<Instance>
  stopInstance(id: string, context: CallContext): Promise<Instance>
}
