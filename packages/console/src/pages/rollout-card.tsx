import type { RolloutView } from '@berth/api/deploy-resources'
import { RolloutButtons } from '../actions/pool-buttons.tsx'
import { Age, Took } from '../components/age.tsx'
import { By, Code, LogTail } from '../components/small.tsx'
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

/** The last one, when it ended badly: what it was, why, and where to read on. What serves now is told beside it. */
export function FailedRollout({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  const { failure } = rollout
  return (
    <section
      className={`rollout rollout-${rolloutState(rollout).tone}`}
      aria-label={`${text.rollout.title} ${rollout.id}`}
    >
      <div className="rollout-head">
        <Status shown={rolloutState(rollout)} />
        <strong>{releaseText(rollout)}</strong>
        <span className="muted">
          <Age at={rollout.endedAt} /> <By who={rollout.createdBy} />
        </span>
        <Link to={path('rollouts', rollout.id)} className="button button-plain button-small push-right">
          {text.attention.actions.why}
        </Link>
      </div>
      <p className="rollout-message">
        {failure === undefined ? (
          rollout.message
        ) : (
          <>
            <FailedPart failure={failure} /> {failure.reason}
          </>
        )}
      </p>
      {failure !== undefined && failure.logTail.length > 0 && (
        <details>
          <summary>{text.instance.logTail}</summary>
          <LogTail lines={failure.logTail} />
        </details>
      )}
    </section>
  )
}

/** The instance, or the node before there was one on it. */
function FailedPart({ failure: { instance, node } }: { readonly failure: NonNullable<RolloutView['failure']> }) {
  if (instance !== undefined) return <Link to={path('instances', instance)}>{instance.split('.').at(-1)}</Link>
  return node === undefined ? null : <Link to={path('nodes', node)}>{node}</Link>
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
        <FailedPart failure={failure} /> {failure.reason}
      </p>
      {failure.logTail.length > 0 && <LogTail lines={failure.logTail} />}
      {failure.logTail.length === 0 && failure.instance !== undefined && (
        <p className="muted small">{text.rollout.noOutput}</p>
      )}
    </div>
  )
}

/** Before anything is replaced: how many of the nodes that need the image have it. */
function ImageProgress({
  images: { wanted, there, missing },
}: {
  readonly images: NonNullable<RolloutView['images']>
}) {
  const { rollout: text } = useText()
  const parts = [
    { tone: 'ok', count: there },
    { tone: 'busy', count: wanted - there },
  ] as const
  const more = wanted - there - missing.length
  return (
    <li>
      <span className="progress-name">{text.image}</span>
      <Segments label={`${text.image}: ${text.imageOn(there, wanted)}`} parts={parts} />
      <ul className="progress-words muted">
        <li>{text.imageOn(there, wanted)}</li>
        {missing.map((node) => (
          <li key={node}>
            <Link to={path('nodes', node)}>{node}</Link>
          </li>
        ))}
        {more > 0 && <li>+{more}</li>}
      </ul>
    </li>
  )
}

export function RolloutProgress({ rollout }: { readonly rollout: RolloutView }) {
  const { rollout: text } = useText()
  const { images, state } = rollout
  // On the way back what comes is of the release before.
  const back = state === 'rolling-back' || state === 'rolled-back' || state === 'aborted'
  const words = back ? text.back : text
  return (
    <ul className="progress">
      {images !== undefined && images.doneAt === undefined && <ImageProgress images={images} />}
      {Object.entries(rollout.progress).map(([name, each]) => {
        const parts = [
          { tone: 'ok', count: each.newReady, word: words.ready },
          { tone: 'busy', count: each.newStarting, word: words.starting },
          { tone: 'off', count: each.oldServing, word: words.serving },
          { tone: 'warn', count: each.oldDraining, word: words.draining },
        ] as const
        const label = parts
          .filter(({ count }) => count > 0)
          .map(({ count, word }) => `${count} ${word.toLowerCase()}`)
          .join(', ')
        return (
          <li key={name}>
            <span className="progress-name">{name}</span>
            <Segments label={`${name}: ${label}`} parts={parts} />
            <ul className="progress-words muted">
              {parts
                .filter(({ count }) => count > 0)
                .map(({ tone, count, word }) => (
                  <li key={word}>
                    <span className={`segment segment-key segment-${tone}`} aria-hidden="true" />
                    {`${count} ${word.toLowerCase()}`}
                  </li>
                ))}
            </ul>
          </li>
        )
      })}
    </ul>
  )
}
