import type { RolloutView, StageView } from '@berth/api/deploy-resources'
import { Took } from '../components/age.tsx'
import { Section } from '../components/layout.tsx'
import { LogTail, personOf } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { isOver, type Tone } from '../live/states.ts'
import { gateTones, rolloutWords, stageTone } from './rollout-words.ts'
import { awaitsApproval, stageUnderWay } from './steering.ts'

/** What a rollout goes through, stage by stage: where it is, what that waits for, and what comes next. */
export function StageTimeline({ rollout }: { readonly rollout: RolloutView }) {
  const words = rolloutWords(useLanguage().language)
  const { stages = [] } = rollout
  const current = isOver(rollout) || rollout.state === 'rolling-back' ? undefined : stageUnderWay(rollout)
  return (
    <>
      {awaitsApproval(rollout) && <Approvals rollout={rollout} />}
      {stages.length > 0 && (
        <Section title={words.title} aside={current !== undefined && <Next stages={stages} current={current} />}>
          <ol className="stages">
            {stages.map((stage, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: stages neither move nor are added
              <Stage key={index} stage={stage} rollout={rollout} isCurrent={stage === current} />
            ))}
          </ol>
        </Section>
      )}
    </>
  )
}

function Next({ stages, current }: { readonly stages: readonly StageView[]; readonly current: StageView }) {
  const words = rolloutWords(useLanguage().language)
  const next = stages[stages.indexOf(current) + 1]
  return (
    <span className="muted small">
      {words.next}: {next?.name ?? words.ends}
    </span>
  )
}

/** Who has said yes so far. */
function Approvals({ rollout: { approvals } }: { readonly rollout: RolloutView }) {
  const words = rolloutWords(useLanguage().language)
  const { needed = 0, given = [] } = approvals ?? {}
  return (
    <Section title={words.approvals(given.length, needed)}>
      <ol className="approvals">
        {given.map(({ by }) => (
          <li key={by} title={by}>
            <Mark tone="ok" /> {personOf(by)}
          </li>
        ))}
        {given.length === 0 && <li className="muted">{words.noApproval}</li>}
      </ol>
    </Section>
  )
}

interface StageProps {
  readonly stage: StageView
  readonly rollout: RolloutView
  readonly isCurrent: boolean
}

function Stage({ stage, rollout, isCurrent }: StageProps) {
  const words = rolloutWords(useLanguage().language)
  const { name, startedAt, endedAt, skippedBy, gates, served, requests } = stage
  const tone = stageTone(stage, rollout)
  const counts = Object.entries(served ?? {}).map(([entrypoint, count]) => `${entrypoint} ${count}`)
  const notes = [
    words.states[tone],
    ...counts,
    ...(skippedBy === undefined ? [] : [words.skipped(personOf(skippedBy))]),
  ].join(', ')
  return (
    <li className={`stage stage-${tone}`} {...(isCurrent ? { 'aria-current': 'step' } : {})}>
      <div className="stage-head">
        <Mark tone={tone} />
        <strong className="stage-name">{name}</strong>
        {startedAt !== undefined && (
          <span className="stage-took muted small">
            <Took from={startedAt} to={endedAt ?? rollout.endedAt} />
          </span>
        )}
      </div>
      <p className="muted small">{notes}</p>
      <Hooks hooks={stage.before} />
      {gates.length > 0 && (
        <ul className="gates small">
          {gates.map((gate, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: gates neither move nor are added
            <Gate key={index} gate={gate} />
          ))}
        </ul>
      )}
      <Hooks hooks={stage.after} />
      {requests !== undefined && (
        <p className="muted small">{words.counts(requests.requests, requests.errors, requests.lost)}</p>
      )}
    </li>
  )
}

type Hook = NonNullable<StageView['before']>[number]

const hookTones: Readonly<Record<Hook['state'], Tone>> = { waiting: 'off', running: 'busy', done: 'ok', failed: 'bad' }

/** What was run or told before or after the stage, and what it printed or answered. */
function Hooks({ hooks = [] }: { readonly hooks: readonly Hook[] | undefined }) {
  const words = rolloutWords(useLanguage().language)
  if (hooks.length === 0) return null
  return (
    <ul className="gates small">
      {hooks.map(({ state, message, by, startedAt, endedAt, output }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: hooks neither move nor are added
        <li key={index} className={`gate gate-${state}`}>
          <Mark tone={hookTones[state]} />
          <div>
            {message}
            {by !== undefined && <span className="muted"> {words.by(personOf(by))}</span>}
            {startedAt !== undefined && (
              <span className="muted">
                {' '}
                <Took from={startedAt} to={endedAt} />
              </span>
            )}
            {output !== undefined && output !== '' && (
              <details open={state === 'failed'}>
                <summary>{words.output}</summary>
                <LogTail lines={output.trimEnd().split('\n')} />
              </details>
            )}
          </div>
        </li>
      ))}
    </ul>
  )
}

function Gate({ gate: { message, verdict, by } }: { readonly gate: StageView['gates'][number] }) {
  const words = rolloutWords(useLanguage().language)
  return (
    <li className={`gate gate-${verdict}`}>
      <Mark tone={gateTones[verdict]} />
      <span>
        {message}
        {by !== undefined && <span className="muted"> {words.by(personOf(by))}</span>}
      </span>
    </li>
  )
}
