import type { RolloutView } from '@berth/api/deploy-resources'
import { Took } from '../components/age.tsx'
import { Segments, Status } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { waitsForPlace } from '../live/diagnosis.ts'
import { poolName, rolloutProgress, rolloutState } from '../live/states.ts'
import { useGlance } from '../live/use-glance.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { releaseText } from './rollout-card.tsx'

/** Each asks for the instances of its pool: only so many do. */
const mostExplained = 5

/** What is being rolled out now, one line each. */
export function RolloutLines({ rollouts }: { readonly rollouts: readonly RolloutView[] }) {
  const { rollout: text } = useText()
  if (rollouts.length === 0) return null
  return (
    <section className="section" aria-label={text.underWay}>
      <div className="section-head">
        <h2>{text.underWay}</h2>
        <span className="tab-count">{rollouts.length}</span>
      </div>
      <ul className="panel panel-flush rows">
        {rollouts.map((rollout, index) => (
          <RolloutLine key={rollout.id} rollout={rollout} explained={index < mostExplained} />
        ))}
      </ul>
    </section>
  )
}

interface RolloutLineProps {
  readonly rollout: RolloutView
  readonly explained: boolean
}

function RolloutLine({ rollout, explained }: RolloutLineProps) {
  const { rollout: text } = useText()
  const { ready, wanted } = rolloutProgress(rollout)
  return (
    <li className="row rollout-line">
      <Link to={path('rollouts', rollout.id)} className="row-subject">
        {poolName(rollout)}
      </Link>
      <span className="mono small">{releaseText(rollout)}</span>
      <Status shown={rolloutState(rollout)} />
      <Segments
        label={text.replaced(ready, wanted)}
        parts={[
          { tone: 'ok', count: ready },
          { tone: 'off', count: wanted - ready },
        ]}
      />
      <span className="muted small">{text.replaced(ready, wanted)}</span>
      <span className="row-age muted">
        <Took from={rollout.createdAt} to={rollout.endedAt} />
      </span>
      {explained && <Waiting rollout={rollout} />}
    </li>
  )
}

/** Why it does not go on, where an instance finds no place. */
function Waiting({ rollout: { app, pool, message } }: { readonly rollout: RolloutView }) {
  const { attention: text } = useText()
  const instances = useGlance('listInstances', { query: { app, pool } }, message)
  const waiting = instances.find((each) => waitsForPlace(each))
  if (waiting === undefined) return null
  return (
    <p className="muted small row-detail rollout-waits">
      <strong>{waiting.name}</strong> {text.waits} {waiting.message}
    </p>
  )
}
