import type { RolloutView } from '@berth/api/resources'
import { RolloutButtons } from '../actions/pool-buttons.tsx'
import { Took } from '../components/age.tsx'
import { Code, LogTail } from '../components/small.tsx'
import { Segments, Status } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { isOver, rolloutProgress, rolloutState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

/** A rollout as it goes: where it stands, entrypoint by entrypoint, and what can be done about it. */
export function RolloutCard({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  const { ready, wanted } = rolloutProgress(rollout)
  return (
    <section
      className={`rollout rollout-${rolloutState(rollout).tone}`}
      aria-label={`${text.rollout.title} ${rollout.id}`}
    >
      <div className="rollout-head">
        <Status shown={rolloutState(rollout)} />
        <strong>{releaseText(rollout)}</strong>
        <Link to={path('rollouts', rollout.id)}>
          <Code>{rollout.id}</Code>
        </Link>
        <span className="muted">
          <Took from={rollout.createdAt} to={rollout.endedAt} />
        </span>
        <span className="rollout-actions">
          <RolloutButtons rollout={rollout} />
        </span>
      </div>
      <p className="rollout-message" aria-live="polite">
        {rollout.message}
      </p>
      <RolloutProgress rollout={rollout} />
      {!isOver(rollout) && <p className="muted small">{text.rollout.replaced(ready, wanted)}</p>}
      <RolloutFailure rollout={rollout} />
    </section>
  )
}

export const releaseText = ({ from, to }: RolloutView): string =>
  from === undefined || from === to ? to : `${from} → ${to}`

export function RolloutFailure({ rollout: { failure } }: { readonly rollout: RolloutView }) {
  const text = useText()
  if (failure === undefined) return null
  return (
    <div className="failure">
      <p>
        <strong>{text.rollout.failure}: </strong>
        <Link to={path('instances', failure.instance)}>{failure.instance.split('.').at(-1)}</Link> {failure.reason}
      </p>
      {failure.logTail.length > 0 && <LogTail lines={failure.logTail} />}
    </div>
  )
}

export function RolloutProgress({ rollout }: { readonly rollout: RolloutView }) {
  const { rollout: text } = useText()
  return (
    <ul className="progress">
      {Object.entries(rollout.progress).map(([name, each]) => {
        const words = [
          [each.newReady, text.ready],
          [each.newStarting, text.starting],
          [each.oldServing, text.serving],
          [each.oldDraining, text.draining],
        ] as const
        const label = words
          .filter(([n]) => n > 0)
          .map(([n, word]) => `${n} ${word.toLowerCase()}`)
          .join(' · ')
        return (
          <li key={name}>
            <span className="progress-name">{name}</span>
            <Segments
              label={`${name}: ${label}`}
              parts={[
                { tone: 'ok', count: each.newReady },
                { tone: 'busy', count: each.newStarting },
                { tone: 'off', count: each.oldServing },
                { tone: 'warn', count: each.oldDraining },
              ]}
            />
            <span className="progress-words muted">{label}</span>
          </li>
        )
      })}
    </ul>
  )
}
