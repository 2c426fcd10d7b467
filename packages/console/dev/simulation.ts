import type { PoolView, ReleaseView } from '@berth/api/app-resources'
import type { BuildView, RolloutView, StageView } from '@berth/api/deploy-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { MockStore } from './mock-store.ts'
import { instance } from './seed-instance.ts'

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    setTimeout(resolve, ms)
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** Builds and rollouts as the real server would show them, a step every `stepMs`. */
export class Simulation {
  readonly #store: MockStore
  readonly #stepMs: number
  readonly #signal: AbortSignal
  /** While true no rollout goes on and nothing is taken apart: for tests that look half-way. */
  held = false
  #ids = 0

  constructor(store: MockStore, stepMs: number, signal: AbortSignal) {
    this.#store = store
    this.#stepMs = stepMs
    this.#signal = signal
  }

  event(type: string, message: string, subject: Record<string, string>): void {
    this.#store.put('listEvents', {
      id: `${Date.now()}-${this.#id()}`,
      at: Date.now(),
      type,
      actor: 'token:dev',
      subject,
      message,
    })
  }

  build(app: string, ref: string, deployTo: string | undefined): BuildView {
    const id = `b-new${this.#id()}`
    const build = this.#store.put('listBuilds', {
      id,
      app,
      ref,
      state: 'queued',
      ...(deployTo === undefined ? {} : { deployTo }),
      createdAt: Date.now(),
      createdBy: 'token:dev',
    })
    this.event('build.queued', `build ${id} of ${app} at ${ref}`, { app, build: id })
    void this.#runBuild(build, deployTo)
    return build
  }

  rollout(pool: PoolView, to: string, reason: RolloutView['reason']): RolloutView {
    const { app, name, release } = pool
    const now = Date.now()
    const services = pool.entrypoints.filter((each) => each.type === 'service')
    const progress = Object.fromEntries(
      services.map(({ name: entrypoint, wanted }) => [
        entrypoint,
        { wanted, newReady: 0, newStarting: 0, oldServing: wanted, oldDraining: 0 },
      ]),
    )
    const from = release === undefined ? {} : { from: release }
    const rollout = this.#store.put('listRollouts', {
      id: `r-new${this.#id()}`,
      app,
      pool: name,
      reason,
      ...from,
      to,
      state: 'running',
      message: `starting ${to}`,
      progress,
      createdAt: now,
      updatedAt: now,
      createdBy: 'token:dev',
    })
    this.#changePool(app, name, { rollout: rollout.id })
    this.event('rollout.started', `${app}/${name}: ${release ?? 'nothing'} → ${to}`, {
      app,
      pool: name,
      rollout: rollout.id,
    })
    void this.#runRollout(rollout.id)
    return rollout
  }

  /** The stage that waits for a person ends, and the next one begins. */
  continueStage(rollout: RolloutView): RolloutView {
    return this.#endStage(rollout, (stage) => ({
      ...stage,
      gates: stage.gates.map((gate) =>
        gate.type === 'person' ? { ...gate, verdict: 'passed' as const, by: 'token:dev' } : gate,
      ),
    }))
  }

  skipStage(rollout: RolloutView): RolloutView {
    return this.#endStage(rollout, (stage) => ({ ...stage, skippedBy: 'token:dev' }))
  }

  #endStage(rollout: RolloutView, how: (stage: StageView) => StageView): RolloutView {
    const at = Date.now()
    const { stages = [] } = rollout
    const index = stages.findIndex(({ endedAt }) => endedAt === undefined)
    const next = stages.map((stage, place) => {
      if (place === index) return { ...how(stage), endedAt: at }
      return place === index + 1 ? { ...stage, startedAt: at } : stage
    })
    return this.#store.put('listRollouts', { ...rollout, stages: next, updatedAt: at })
  }

  end(rollout: RolloutView, state: RolloutView['state'], message: string): RolloutView {
    const { release, rollout: _, ...rest } = this.#pool(rollout.app, rollout.pool)
    const running = state === 'succeeded' ? rollout.to : release
    this.#putPool({ ...rest, ...(running === undefined ? {} : { release: running }) })
    this.event(`rollout.${state}`, `${rollout.app}/${rollout.pool}: ${message}`, {
      app: rollout.app,
      pool: rollout.pool,
      rollout: rollout.id,
    })
    return this.#store.put('listRollouts', { ...rollout, state, message, updatedAt: Date.now(), endedAt: Date.now() })
  }

  /** A command with \`false\` in it fails. */
  job(pool: PoolView, { entrypoint = 'migrate', command, release }: JobBody): InstanceView {
    const n = this.#store.all('listInstances').filter((each) => each.entrypoint === entrypoint).length + 1
    const at = Date.now()
    const { readyAt: _, startedAt: __, containerId: ___, ...fresh } = instance(pool.app, pool.name, entrypoint, n, at)
    const job = this.#store.put('listInstances', {
      ...fresh,
      type: 'job',
      release: release ?? pool.release ?? 'v1',
      ...(command === undefined ? {} : { command: [...command] }),
      phase: 'assigned',
      ready: false,
      inTraffic: false,
      createdAt: at,
      createdBy: 'token:dev',
    })
    this.event('job.started', `${job.id} runs ${job.release}`, { app: pool.app, pool: pool.name, instance: job.id })
    void this.#runJob(job, command?.includes('false') === true ? 1 : 0)
    return job
  }

  async #runJob(job: InstanceView, code: number): Promise<void> {
    await sleep(this.#stepMs, this.#signal)
    const running = this.#store.put('listInstances', { ...job, phase: 'running', startedAt: Date.now() })
    await sleep(this.#stepMs * 5, this.#signal)
    if (this.#signal.aborted) return
    const stopped = this.#store.get('listInstances', job.id)?.desired === 'stop'
    const at = Date.now()
    this.#store.put('listInstances', {
      ...running,
      desired: stopped ? 'stop' : 'run',
      phase: 'ended',
      endedAt: at,
      lastExit: { code: stopped ? 143 : code, outOfMemory: false, at },
      ...(code === 0 || stopped
        ? {}
        : { message: `${job.id} exited with code ${code} after 4.5 s`, logTail: ['Error: nothing to do'] }),
    })
  }

  removePool(app: string, pool: string): { ok: true } {
    this.#changePool(app, pool, { removing: true })
    void this.#takeApart(app, pool)
    return { ok: true }
  }

  removeApp(app: string): { ok: true } {
    const found = this.#store.get('listApps', app)
    if (found === undefined) return { ok: true }
    this.#store.put('listApps', {
      ...found,
      removing: true,
      pools: found.pools.map((pool) => ({ ...pool, removing: true })),
    })
    void this.#takeApart(app, undefined)
    return { ok: true }
  }

  async #takeApart(app: string, pool: string | undefined): Promise<void> {
    await sleep(this.#stepMs * 4, this.#signal)
    while (this.held && !this.#signal.aborted) await sleep(this.#stepMs, this.#signal)
    const found = this.#store.get('listApps', app)
    if (this.#signal.aborted || found === undefined) return
    for (const each of this.#store.all('listInstances'))
      if (each.app === app && (pool === undefined || each.pool === pool)) this.#store.remove('listInstances', each.id)
    if (pool === undefined) this.#store.remove('listApps', app)
    else this.#store.put('listApps', { ...found, pools: found.pools.filter((each) => each.name !== pool) })
    this.event(pool === undefined ? 'app.removed' : 'pool.removed', `${app} is removed`, { app })
  }

  async #runBuild(build: BuildView, deployTo: string | undefined): Promise<void> {
    await sleep(this.#stepMs, this.#signal)
    this.#store.put('listBuilds', {
      ...build,
      state: 'running',
      node: 'anchor-1',
      startedAt: Date.now(),
      commit: 'd3adb33f0c4f2a9be07d1538c6e2b90a7f41d015',
      subject: 'A change to be deployed',
    })
    await sleep(this.#stepMs * 6, this.#signal)
    const now = this.#store.get('listBuilds', build.id)
    if (now?.state !== 'running' || this.#signal.aborted) return
    const release = this.#release(build, now)
    const rollout =
      deployTo === undefined ? undefined : this.rollout(this.#pool(build.app, deployTo), release.id, 'deploy')
    this.#store.put('listBuilds', {
      ...now,
      state: 'succeeded',
      release: release.id,
      image: release.image,
      ...(rollout === undefined ? {} : { rollout: rollout.id }),
      endedAt: Date.now(),
    })
  }

  #release(build: BuildView, { commit, subject }: BuildView): ReleaseView {
    const before = this.#store.all('listReleases').filter((each) => each.app === build.app)
    const id = `v${Math.max(0, ...before.map((each) => Number(each.id.slice(1)))) + 1}`
    const known = { ...(commit === undefined ? {} : { commit }), ...(subject === undefined ? {} : { subject }) }
    const app = this.#store.get('listApps', build.app)
    if (app !== undefined) this.#store.put('listApps', { ...app, latestRelease: id })
    return this.#store.put('listReleases', {
      app: build.app,
      id,
      ...known,
      image: `berth/${build.app}@sha256:0d15ea5e`,
      build: build.id,
      createdAt: Date.now(),
      createdBy: 'token:dev',
      runningIn: [],
      served: [],
      spec: before.at(-1)?.spec ?? {},
    })
  }

  /** One instance after another: started, ready, the old one drained and gone. */
  async #runRollout(id: string): Promise<void> {
    for (;;) {
      await sleep(this.#stepMs, this.#signal)
      const rollout = this.#store.get('listRollouts', id)
      if (this.#signal.aborted || rollout === undefined || rollout.endedAt !== undefined) return
      if (rollout.state === 'paused' || this.held) continue
      if (!this.#step(rollout)) return
    }
  }

  #step(rollout: RolloutView): boolean {
    for (const [name, part] of Object.entries(rollout.progress)) {
      const next = nextStep(part)
      if (next === undefined) continue
      this.#applyToInstance(rollout, name, next)
      const message = `${name}: ${next.newReady} of ${next.wanted} instances run ${rollout.to}`
      this.#store.put('listRollouts', {
        ...rollout,
        message,
        updatedAt: Date.now(),
        progress: { ...rollout.progress, [name]: next },
      })
      return true
    }
    this.end(rollout, 'succeeded', `all instances run ${rollout.to}`)
    return false
  }

  #applyToInstance({ app, pool, to, id }: RolloutView, entrypoint: string, { newReady, newStarting }: Part): void {
    const n = newReady + newStarting
    const starting = newStarting > 0
    const at = Date.now()
    const before = this.#store.get('listInstances', `${app}.${pool}.${entrypoint}-${n}`)
    const { readyAt: _, ...fresh } = before ?? instance(app, pool, entrypoint, n, at)
    const now: InstanceView = {
      ...fresh,
      release: to,
      rollout: id,
      ready: !starting,
      inTraffic: !starting,
      restarts: 0,
      startedAt: at,
      createdAt: at,
      ...(starting ? {} : { readyAt: at }),
    }
    this.#store.put('listInstances', now)
  }

  #pool(app: string, pool: string): PoolView {
    const found = this.#store.get('listApps', app)?.pools.find((each) => each.name === pool)
    const entrypoint = {
      name: 'web',
      type: 'service' as const,
      wanted: 1,
      setBy: 'spec' as const,
      running: 0,
      ready: 0,
    }
    return found ?? { app, name: pool, environment: pool, generation: 1, entrypoints: [entrypoint], urls: [] }
  }

  #changePool(app: string, pool: string, change: Partial<PoolView>): void {
    this.#putPool({ ...this.#pool(app, pool), ...change })
  }

  #putPool(pool: PoolView): void {
    const app = this.#store.get('listApps', pool.app)
    if (app === undefined) return
    this.#store.put('listApps', {
      ...app,
      pools: [...app.pools.filter((each) => each.name !== pool.name), pool].sort((a, b) =>
        a.name.localeCompare(b.name),
      ),
    })
  }

  #id(): string {
    this.#ids += 1
    return String(this.#ids).padStart(4, '2')
  }
}

interface JobBody {
  readonly entrypoint?: string
  readonly command?: readonly string[]
  readonly release?: string
}

type Part = RolloutView['progress'][string]

function nextStep(part: Part): Part | undefined {
  const { newReady, newStarting, oldServing, oldDraining, wanted } = part
  if (newStarting > 0)
    return {
      ...part,
      newStarting: 0,
      newReady: newReady + 1,
      oldServing: Math.max(0, oldServing - 1),
      oldDraining: oldDraining + 1,
    }
  if (newReady < wanted) return { ...part, newStarting: 1, oldDraining: 0 }
  return oldDraining > 0 ? { ...part, oldDraining: 0 } : undefined
}
