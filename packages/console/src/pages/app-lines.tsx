import type { AppView, PoolView } from '@berth/api/app-resources'
import type { RolloutView } from '@berth/api/deploy-resources'
import { Age } from '../components/age.tsx'
import { By, UrlLink } from '../components/small.tsx'
import { Segments, Status } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { readiness } from '../live/app-health.ts'
import { isBehind, poolState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface AppLinesProps {
  readonly apps: readonly AppView[]
  readonly rollouts: readonly RolloutView[]
}

/** All apps with their environments in columns that line up, so that what differs is seen. */
export function AppLines({ apps, rollouts }: AppLinesProps) {
  return (
    <ul className="apps">
      {apps.map((app) => (
        <li key={app.name} className="app-line">
          <AppHead app={app} />
          <PoolLines app={app} rollouts={rollouts} />
        </li>
      ))}
    </ul>
  )
}

function AppHead({ app }: { readonly app: AppView }) {
  const { apps: text } = useText()
  return (
    <div className="app-head">
      <h2>
        <Link to={path('apps', app.name)}>{app.name}</Link>
      </h2>
      {app.removing === true && <span className="chip chip-warn">{text.removing}</span>}
      {app.repository !== undefined && (
        <span className="app-repository muted mono" title={app.repository}>
          {app.repository.replace(/^(https?|ssh):\/\/([^@/]+@)?/, '')}
        </span>
      )}
    </div>
  )
}

interface PoolLinesProps {
  readonly app: AppView
  readonly rollouts: readonly RolloutView[]
}

export function PoolLines({ app, rollouts }: PoolLinesProps) {
  const { apps: text } = useText()
  if (app.pools.length === 0)
    return (
      <p className="muted pool-none">
        {text.noPools} · <Link to={path('apps', app.name)}>{text.deployFirst}</Link>
      </p>
    )
  return (
    <ul>
      {app.pools
        .toSorted((a, b) => a.name.localeCompare(b.name))
        .map((pool) => (
          <PoolLine key={pool.name} app={app} pool={pool} latest={latestOf(pool, rollouts)} />
        ))}
    </ul>
  )
}

const latestOf = ({ app, name }: PoolView, rollouts: readonly RolloutView[]): RolloutView | undefined =>
  rollouts
    .filter((rollout) => rollout.app === app && rollout.pool === name)
    .toSorted((a, b) => b.createdAt - a.createdAt)[0]

interface PoolLineProps {
  readonly app: AppView
  readonly pool: PoolView
  readonly latest: RolloutView | undefined
}

function PoolLine({ app, pool, latest }: PoolLineProps) {
  const { apps: text, common } = useText()
  const { ready, wanted } = readiness(pool)
  const shown = poolState(pool)
  return (
    <li className={`pool-line pool-line-${shown.tone}`}>
      <Link to={path('apps', app.name, pool.name)} className="pool-name">
        {pool.name}
      </Link>
      <Status shown={shown} />
      <span className="pool-ready">
        <span className="number">{wanted > 0 ? `${ready}/${wanted}` : '–'}</span>
        <Segments
          label={common.of(String(ready), String(wanted))}
          parts={[
            { tone: 'ok', count: ready },
            { tone: shown.tone === 'busy' ? 'busy' : 'bad', count: wanted - ready },
          ]}
        />
      </span>
      <span className="pool-release">
        <span className="release">{pool.release ?? '–'}</span>
        {isBehind(app, pool) && (
          <span className="chip chip-warn" title={text.behindHint(app.latestRelease ?? '')}>
            {text.behind(app.latestRelease ?? '')}
          </span>
        )}
      </span>
      <span className="pool-latest">
        {latest !== undefined && (
          <>
            <Link to={path('rollouts', latest.id)} className="quiet-link">
              <Age at={latest.createdAt} />
            </Link>{' '}
            <By who={latest.createdBy} />
          </>
        )}
      </span>
      <span className="pool-url">
        {pool.urls[0] !== undefined && <UrlLink url={pool.urls[0]} />}
        {pool.urls.length > 1 && <span className="muted small"> +{pool.urls.length - 1}</span>}
      </span>
    </li>
  )
}
