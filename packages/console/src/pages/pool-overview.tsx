import type { AppView, PoolView, ReleaseView } from '@berth/api/app-resources'
import type { BuildView } from '@berth/api/deploy-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { CapacityView } from '@berth/api/planning-resources'
import { useState } from 'react'
import { ResizeButton } from '../actions/resize-button.tsx'
import { ScaleControl } from '../actions/scale-control.tsx'
import { Took } from '../components/age.tsx'
import { Banner, Empty, Section } from '../components/layout.tsx'
import { Code } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { formatBytes, formatCores, sizeText } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { waitsForPlace } from '../live/diagnosis.ts'
import { poolDrift, replicasInSpec } from '../live/drift.ts'
import { buildState, isOver } from '../live/states.ts'
import { useGlance } from '../live/use-glance.ts'
import { useOne } from '../live/use-one.ts'
import { usePolled } from '../live/use-polled.ts'
import { type Usage, useUsage } from '../metrics/use-usage.ts'
import { CapacityLine } from '../plan/capacity.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { ApprovalBanner } from './approval-banner.tsx'
import { WorstInstance } from './diagnosis-banner.tsx'
import { InstanceTable } from './instance-table.tsx'
import { NotFoundPage } from './not-found-page.tsx'
import { FailedRollout, RolloutCard } from './rollout-card.tsx'

type Entrypoint = PoolView['entrypoints'][number]

/** Releases never change: asked for once. */
function useRelease(app: string, release: string | undefined): ReleaseView | undefined {
  return useOne('getRelease', release === undefined ? undefined : { params: { app, release } }).value
}

interface PoolOverviewProps {
  readonly app: AppView
  readonly pool: PoolView
  /** Only this entrypoint. */
  readonly only: string | undefined
}

export function PoolOverview({ app, pool, only }: PoolOverviewProps) {
  const text = useText()
  const query = { app: app.name, pool: pool.name }
  const instances = useList('listInstances', { query })
  const rollouts = useList('listRollouts', { query: { ...query, limit: 5 } })
  const builds = useList('listBuilds', { query: { app: app.name, limit: 5 } })
  const usage = useUsage(query)
  const capacity = useCapacity(app.name, pool)
  const [decided, setDecided] = useState(0)
  const approvals = useGlance('listApprovals', {}, `${decided} ${pool.release ?? ''}`)
  const running = useRelease(app.name, pool.release)
  const current = rollouts.items.find((rollout) => !isOver(rollout))
  const latest = rollouts.items.toSorted((a, b) => b.createdAt - a.createdAt)[0]
  const failed = current === undefined && latest?.failure !== undefined ? latest : undefined
  // That the latest release does not run is no news beside why it does not.
  const known = failed?.to === app.latestRelease ? { ...app, latestRelease: undefined } : app
  const drift = poolDrift(text.drift, known, pool, running, instances.items)
  const entrypoints = pool.entrypoints.filter((each) => only === undefined || each.name === only)
  if (only !== undefined && entrypoints.length === 0) return <NotFoundPage />
  return (
    <>
      {builds.items
        .filter((build) => build.deployTo === pool.name && isUnderWay(build))
        .map((build) => (
          <BuildCard key={build.id} build={build} />
        ))}
      {approvals
        .filter(({ app: of, pool: name, state }) => of === app.name && name === pool.name && state === 'waiting')
        .map((approval) => (
          <ApprovalBanner key={approval.entrypoint} approval={approval} onDecided={() => setDecided((n) => n + 1)} />
        ))}
      {current !== undefined && <RolloutCard rollout={current} />}
      <WorstInstance
        instances={current === undefined ? instances.items : instances.items.filter((each) => waitsForPlace(each))}
      />
      {failed !== undefined && <FailedRollout rollout={failed} />}
      {drift.length > 0 && (
        <Banner tone="info" title={text.drift.title} lines={drift}>
          <Link to={path('apps', app.name, pool.name, 'history')} className="button button-plain button-small">
            {text.pool.history}
          </Link>
        </Banner>
      )}
      {entrypoints.length === 0 && <Empty icon="box" title={text.pool.notDeployed} hint={text.app.noPoolsHint} />}
      {entrypoints.map((entrypoint) => (
        <EntrypointSection
          key={entrypoint.name}
          app={app}
          pool={pool}
          entrypoint={entrypoint}
          inSpec={replicasInSpec(running, pool, entrypoint.name)}
          loading={instances.state === 'loading'}
          usage={usage}
          capacity={capacity.find((each) => each.entrypoint === entrypoint.name)}
          instances={instances.items.filter((each) => each.entrypoint === entrypoint.name && each.phase !== 'ended')}
        />
      ))}
    </>
  )
}

const capacityEveryMs = 30_000

/** Nothing where nothing runs: there is nothing to fit. */
function useCapacity(app: string, { name, release, entrypoints }: PoolView): readonly CapacityView[] {
  const counts = entrypoints.map(({ running, wanted }) => `${running}/${wanted}`).join(' ')
  const { value } = usePolled('getCapacity', { params: { app, pool: name }, body: {} }, capacityEveryMs, counts)
  return release === undefined ? [] : (value?.entrypoints ?? [])
}

const isUnderWay = ({ state }: BuildView): boolean => state === 'queued' || state === 'running'

interface EntrypointSectionProps {
  readonly app: AppView
  readonly pool: PoolView
  readonly entrypoint: Entrypoint
  readonly inSpec: number | undefined
  readonly loading: boolean
  readonly instances: readonly InstanceView[]
  readonly usage: ReadonlyMap<string, Usage>
  readonly capacity: CapacityView | undefined
}

function EntrypointSection(props: EntrypointSectionProps) {
  const { app, pool, entrypoint, inSpec, loading, instances, usage, capacity } = props
  const text = useText()
  const { name, type } = entrypoint
  return (
    <section className="section" aria-label={name}>
      <div className="entrypoint-head">
        <h2>
          <Link to={path('apps', app.name, pool.name, 'entrypoints', name)}>{name}</Link>
        </h2>
        <span className="chip">{type === 'job' ? text.pool.job : text.pool.service}</span>
        <span className="muted">{grantText(text.units.core, entrypoint)}</span>
        <Sizes entrypoint={entrypoint} />
        {type === 'service' && (
          <ScaleControl app={app.name} pool={pool.name} entrypoint={entrypoint} inSpec={inSpec}>
            <ResizeButton
              small
              target={{ app: app.name, pool: pool.name, entrypoint: name }}
              sizes={entrypoint}
              written={entrypoint.written}
            />
          </ScaleControl>
        )}
        {type === 'job' && (
          <Link to={path('apps', app.name, pool.name, 'jobs')} className="button button-plain button-small push-right">
            {text.jobs.title}
          </Link>
        )}
      </div>
      {capacity !== undefined && <CapacityLine capacity={capacity} to={path('apps', app.name, pool.name, 'plan')} />}
      <div className="panel panel-flush">
        {loading && <Skeleton rows={3} />}
        {!loading && instances.length === 0 && type === 'job' && <p className="quiet-line">{text.pool.jobIdle}</p>}
        {!loading && instances.length === 0 && type === 'service' && (
          <p className="quiet-line">
            {text.pool.noInstances}. {text.pool.noInstancesHint}
          </p>
        )}
        {instances.length > 0 && <InstanceTable instances={instances} usage={usage} />}
      </div>
    </section>
  )
}

/** Where they are others than its berth.yaml says, or wait for somebody. */
function Sizes({ entrypoint: { written, awaited } }: { readonly entrypoint: Entrypoint }) {
  const { resize: text } = useText()
  return (
    <>
      {written !== undefined && <span className="chip chip-warn">{text.yaml(sizeText(written))}</span>}
      {awaited !== undefined && <span className="chip chip-warn">{text.awaited(sizeText(awaited))}</span>}
    </>
  )
}

function grantText(core: (n: number, text: string) => string, { cpuMilli, memoryBytes }: Entrypoint): string {
  const parts = [
    cpuMilli === undefined ? undefined : core(cpuMilli / 1000, formatCores(cpuMilli)),
    memoryBytes === undefined ? undefined : formatBytes(memoryBytes),
  ]
  return parts.filter((part) => part !== undefined).join(' · ')
}

function BuildCard({ build }: { readonly build: BuildView }) {
  const text = useText()
  return (
    <Section>
      <div className="live-line">
        <strong>{text.build.title}</strong>
        <Status shown={buildState(build)} />
        <Link to={path('builds', build.id)}>
          <Code>{build.id}</Code>
        </Link>
        <span className="subject">{build.subject ?? build.ref}</span>
        <Took from={build.startedAt ?? build.createdAt} to={build.endedAt} />
      </div>
    </Section>
  )
}
