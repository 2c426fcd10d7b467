import type { RolloutView, StageView } from '@berth/api/deploy-resources'
import { Took } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Section } from '../components/layout.tsx'
import { Mark } from '../components/status.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { isOver, poolName } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { useOne } from '../live/use-one.ts'
import { useClient } from '../store/context.tsx'
import { gateTones, stageTone, stageWords } from './stage-words.ts'

/** What a rollout goes through, stage by stage, and what it was in the end. */
export default function StageTimeline({ rollout }: { readonly rollout: RolloutView }) {
  const words = stageWords(useLanguage().language)
  const { stages = [] } = rollout
  return (
    <>
      {stages.length > 0 && (
        <Section title={words.title} flush>
          <ol className="rows">
            {stages.map((stage, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: stages neither move nor are added
              <Stage key={index} stage={stage} rollout={rollout} />
            ))}
          </ol>
          {!isOver(rollout) && <StageButtons rollout={rollout} />}
        </Section>
      )}
      {rollout.state === 'paused' && rollout.approvals !== undefined && <Approvals rollout={rollout} />}
      {isOver(rollout) && <Receipt id={rollout.id} />}
    </>
  )
}

/** Who has said yes, and the key for the next one; the server refuses whom it was asked by. */
function Approvals({ rollout }: { readonly rollout: RolloutView }) {
  const words = stageWords(useLanguage().language)
  const client = useClient()
  const { busy, act } = useAction()
  const { needed = 0, given = [] } = rollout.approvals ?? {}
  if (given.length >= needed) return null
  const approve = () =>
    act({
      run: () => client.call('approveRollout', { params: { id: rollout.id } }),
      done: words.approved(poolName(rollout)),
    })
  return (
    <Section title={words.approvals(given.length, needed)}>
      <p className="muted small">{given.map(({ by }) => by).join(', ')}</p>
      <RoleButton needs="deployer" kind="primary" disabled={busy} onClick={() => void approve()}>
        {words.approve}
      </RoleButton>
    </Section>
  )
}

function Stage({ stage, rollout }: { readonly stage: StageView; readonly rollout: RolloutView }) {
  const words = stageWords(useLanguage().language)
  const { name, startedAt, endedAt, skippedBy, gates, served } = stage
  const tone = stageTone(stage)
  const counts = Object.entries(served ?? {}).map(([entrypoint, count]) => `${entrypoint} ${count}`)
  return (
    <li className="row">
      <Mark tone={tone} />
      <strong>{name}</strong>
      <span className="muted small">
        {[words.states[tone], ...counts, ...(skippedBy === undefined ? [] : [words.skipped(skippedBy)])].join(', ')}
      </span>
      <span className="row-age muted">
        {startedAt !== undefined && <Took from={startedAt} to={endedAt ?? rollout.endedAt} />}
      </span>
      {gates.length > 0 && (
        <ul className="row-detail small">
          {gates.map(({ message, verdict, by }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: gates neither move nor are added
            <li key={index}>
              <Mark tone={gateTones[verdict]} /> {message}
              {by !== undefined && <span className="muted"> {words.by(by)}</span>}
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}

/** One click each; skipping asks, since nothing is waited for any more then. */
function StageButtons({ rollout }: { readonly rollout: RolloutView }) {
  const words = stageWords(useLanguage().language)
  const client = useClient()
  const { busy, act } = useAction()
  const stage = rollout.stages?.find(({ endedAt }) => endedAt === undefined)
  if (stage === undefined || rollout.state === 'rolling-back') return null
  const params = { id: rollout.id }
  const done = words.goesOn(poolName(rollout))
  const waits =
    stage.readyAt !== undefined && stage.gates.some(({ type, verdict }) => type === 'person' && verdict === 'waiting')
  const skip = () =>
    act({
      ask: { title: words.skipAsk(stage.name), body: <p>{words.skipText}</p>, verb: words.skip },
      run: () => client.call('skipStage', { params }),
      done,
    })
  return (
    <p className="rollout-actions">
      {waits && (
        <RoleButton
          needs="deployer"
          kind="primary"
          disabled={busy}
          onClick={() => void act({ run: () => client.call('continueRollout', { params }), done })}
        >
          {words.continue}
        </RoleButton>
      )}
      {stage.skippedBy === undefined && (
        <RoleButton needs="deployer" disabled={busy} onClick={() => void skip()}>
          {words.skip}
        </RoleButton>
      )}
    </p>
  )
}

/** What became of requests, and when it stood still. */
function Receipt({ id }: { readonly id: string }) {
  const words = stageWords(useLanguage().language)
  const receipt = useOne('getReceipt', { params: { id } }).value
  if (receipt === undefined || (receipt.requests === undefined && receipt.pauses.length === 0)) return null
  const { requests, pauses } = receipt
  return (
    <Section title={words.receipt}>
      {requests !== undefined && (
        <p>
          {words.requests}: {words.counts(requests.requests, requests.errors, requests.lost)}
        </p>
      )}
      {(['p50Ms', 'p99Ms'] as const).map((key) => {
        const [before, after] = [requests?.before[key], requests?.after[key]]
        return before === undefined || after === undefined ? null : (
          <p key={key} className="muted small">
            {words.times(key.slice(0, 3), before, after)}
          </p>
        )
      })}
      {pauses.map(({ since, until, reason }) => (
        <p key={since} className="muted small">
          {words.paused} <Took from={since} to={until} />: {reason}
        </p>
      ))}
    </Section>
  )
}
