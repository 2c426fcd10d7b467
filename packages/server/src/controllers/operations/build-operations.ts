import { type App, BerthError, type Build, checkName, type Release, type Rollout } from '@berth/core'
import { refuseFrozen } from '../../freezes/freeze-times.ts'
import type { RecordTransaction } from '../../records/index.ts'
import { newId } from '../../records/new-id.ts'
import type { BuildArguments, CallContext, DeployArguments, SourceArguments } from '../operations.ts'
import { checkBeforeBuild } from './check-before-build.ts'
import { refuseRemoving, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { refuseHeldPool, startRollout } from './start-rollout.ts'
import { refuseLaterStage } from './unproven.ts'

export async function deploy(
  context: OperationsContext,
  args: DeployArguments,
  call: CallContext,
): Promise<{ readonly build?: Build; readonly rollout?: Rollout }> {
  const { release } = args
  if (release !== undefined) return { rollout: await deployRelease(context, { ...args, release }, call) }
  const refuse = (): void => {
    checkName('app', args.app)
    checkName('pool', args.pool)
    refuseRemoving(context.state, args.app, args.pool)
    refuseLaterStage(context.state, args.app, args.pool)
    refuseHeldPool(context.state, args)
    const { app, pool, overrideFreeze: override } = args
    refuseFrozen(context.state, { app, pool, override, now: context.now() })
  }
  refuse()
  await checkBeforeBuild(context, args, call)
  const { value } = await context.records.commit(
    call.actor,
    (tx) => {
      refuse()
      return queueBuild(tx, context, { ...args, noReuse: false }, call, {
        ...{ deployTo: args.pool, force: args.force },
        ...(args.overrideFreeze === undefined ? {} : { overrideFreeze: args.overrideFreeze }),
      })
    },
    call,
  )
  return { build: value }
}

export async function startBuild(context: OperationsContext, args: BuildArguments, call: CallContext): Promise<Build> {
  checkName('app', args.app)
  await checkBeforeBuild(context, args, call)
  return (await context.records.commit(call.actor, (tx) => queueBuild(tx, context, args, call, {}), call)).value
}

export async function cancelBuild(context: OperationsContext, id: string, call: CallContext): Promise<Build> {
  const { value } = await context.records.commit(
    call.actor,
    (tx) => {
      const build = context.state.builds.get(id)
      if (build === undefined) throw new BerthError('build.not-found', `no build ${id}; \`berth builds\` lists them`)
      if (build.state !== 'queued' && build.state !== 'running') {
        throw new BerthError(
          'build.ended',
          `cancel build ${id}: it has already ${build.state === 'cancelled' ? 'been cancelled' : build.state}`,
        )
      }
      const next: Build = {
        ...build,
        state: 'cancelled',
        endedAt: context.now(),
        error: { code: 'build.cancelled', message: `cancelled by ${call.actor}` },
      }
      tx.put('builds', next, { ifUnchanged: true })
      tx.event({
        type: 'build.cancelled',
        subject: { app: build.app, build: id },
        message: `build ${id} of ${build.app} is cancelled`,
      })
      return next
    },
    call,
  )
  context.cancelBuild(value)
  return value
}

async function deployRelease(
  context: OperationsContext,
  args: DeployArguments & { readonly release: string },
  call: CallContext,
): Promise<Rollout> {
  const { records, state, defaultPool, now } = context
  const { value } = await records.commit(
    call.actor,
    (tx) => {
      const release: Release = requireRelease(state, args.app, args.release)
      const { pool, force, overrideFreeze } = args
      return startRollout(tx, state, {
        release,
        pool,
        reason: 'deploy',
        createdBy: call.actor,
        force,
        overrideFreeze,
        defaultPool,
        now: now(),
      })
    },
    call,
  )
  return value
}

function queueBuild(
  tx: RecordTransaction,
  context: OperationsContext,
  args: BuildArguments,
  call: CallContext,
  then: Pick<Build, 'deployTo' | 'force' | 'overrideFreeze'>,
): Build {
  const { app, source } = registerApp(tx, context, args.app, args, call)
  const build: Build = {
    id: newId('b'),
    app: app.name,
    ref: args.ref,
    state: 'queued',
    ...(source === undefined ? {} : { source }),
    ...then,
    ...(args.noReuse ? { noReuse: true } : {}),
    createdAt: context.now(),
    createdBy: call.actor,
  }
  tx.create('builds', build)
  tx.event({
    type: 'build.queued',
    subject: { app: app.name, build: build.id },
    message: `build ${build.id} of ${app.name} at ${args.ref}`,
  })
  return build
}

/**
 * Deploying or building registers an app. Where another repository is given, it is the build's alone until it has succeeded: a mistyped
 * address must not become the app's.
 */
function registerApp(
  tx: RecordTransaction,
  { state, now }: OperationsContext,
  name: string,
  source: SourceArguments,
  call: CallContext,
): { readonly app: App; readonly source?: Build['source'] } {
  checkName('app', name)
  const known = state.apps.get(name)
  if (known?.removing === true)
    throw new BerthError('app.removing', `${name} is being removed; wait until it is gone, then deploy again`)
  const repository = source.repository ?? known?.repository
  if (repository === undefined) {
    throw new BerthError(
      'app.no-source',
      `build ${name}: no repository is known; run berth deploy in its work tree, or give one with --repository URL`,
    )
  }
  const vcs = source.vcs ?? known?.vcs ?? 'git'
  if (known?.repository === undefined) {
    const app: App =
      known === undefined
        ? { name, repository, vcs, createdAt: now(), createdBy: call.actor, nextRelease: 1 }
        : { ...known, repository, vcs }
    tx.put('apps', app, { ifUnchanged: true })
    return { app }
  }
  tx.require('apps', name)
  return known.repository === repository && known.vcs === vcs
    ? { app: known }
    : { app: known, source: { repository, vcs } }
}
