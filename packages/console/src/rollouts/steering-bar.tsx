import type { RolloutView } from '@berth/api/deploy-resources'
import { Button } from '../components/button.tsx'
import type { Question } from '../components/confirm.tsx'
import { Icon, type IconName } from '../components/icons.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { useMay, useSession } from '../live/session.tsx'
import { poolName } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'
import { type RolloutWords, rolloutWords } from './rollout-words.ts'
import { type Move, type Steer, stageUnderWay, steersOf } from './steering.ts'

interface SteeringBarProps {
  readonly rollout: RolloutView
  readonly latest: boolean
}

const icons: Readonly<Record<Move, IconName>> = {
  approve: 'check',
  continue: 'play',
  pause: 'pause',
  resume: 'play',
  skip: 'skip',
  abort: 'stop',
  rollback: 'back',
  again: 'deploy',
}
const kinds: Readonly<Partial<Record<Move, 'primary' | 'danger'>>> = {
  approve: 'primary',
  continue: 'primary',
  resume: 'primary',
  abort: 'danger',
  rollback: 'danger',
}

/** Large keys, where the thumb is on a telephone. Who may not press one sees why. */
export function SteeringBar({ rollout, latest }: SteeringBarProps) {
  const words = rolloutWords(useLanguage().language)
  const { actor } = useSession()
  const may = useMay('deployer')
  const { busy, move } = useMove(rollout, words)
  const steers = steersOf(rollout, { may, actor, latest })
  if (steers.length === 0) return null
  const reasons = [...new Set(steers.flatMap(({ hindrance }) => (hindrance === undefined ? [] : [hindrance])))]
  const primary = steers.find((each) => kinds[each.move] === 'primary' && each.hindrance === undefined)
  return (
    <section className="steering" aria-label={words.steer}>
      <div className="steering-keys">
        {steers.map((steer) => (
          <SteerKey
            key={steer.move}
            steer={steer}
            kind={steer === primary ? 'primary' : kinds[steer.move] === 'danger' ? 'danger' : 'plain'}
            detail={detailOf(steer.move, rollout, words)}
            busy={busy}
            press={() => void move(steer.move)}
          />
        ))}
      </div>
      {reasons.map((reason) => (
        <p key={reason} className="steering-why muted small" id={`why-${reason}`}>
          {words.hindrances[reason]}
        </p>
      ))}
    </section>
  )
}

function detailOf(move: Move, { from, to }: RolloutView, { details }: RolloutWords): string | undefined {
  if (move === 'again') return details.again(to)
  return from !== undefined && (move === 'abort' || move === 'rollback') ? details[move](from) : undefined
}

interface SteerKeyProps {
  readonly steer: Steer
  readonly kind: 'primary' | 'danger' | 'plain'
  readonly detail: string | undefined
  readonly busy: boolean
  readonly press: () => void
}

function SteerKey({ steer: { move, keys, hindrance }, kind, detail, busy, press }: SteerKeyProps) {
  const words = rolloutWords(useLanguage().language)
  const [first = ''] = keys
  return (
    <Button
      kind={kind}
      className="steer"
      disabled={busy || hindrance !== undefined}
      data-key={keys.join(' ')}
      data-does={words.moves[move]}
      aria-label={detail === undefined ? words.moves[move] : `${words.moves[move]} ${detail}`}
      aria-keyshortcuts={keys.join(' ')}
      {...(hindrance === undefined
        ? {}
        : { 'aria-describedby': `why-${hindrance}`, title: words.hindrances[hindrance] })}
      onClick={press}
    >
      <Icon name={icons[move]} />
      <span className="steer-name">
        {words.moves[move]}
        {detail !== undefined && <span className="steer-detail"> {detail}</span>}
      </span>
      <kbd>{first}</kbd>
    </Button>
  )
}

/** Asks only before what cannot be taken back by the next key. */
function useMove(
  rollout: RolloutView,
  words: RolloutWords,
): { readonly busy: boolean; readonly move: (move: Move) => Promise<void> } {
  const client = useClient()
  const { busy, act } = useAction()
  const { id, app, pool, from = '', to } = rollout
  const params = { id }
  const target = poolName(rollout)
  const asks: Readonly<Partial<Record<Move, Question>>> = {
    skip: {
      ...{ title: words.skipAsk(stageUnderWay(rollout)?.name ?? ''), verb: words.moves.skip },
      body: <p>{words.skipText}</p>,
    },
    abort: {
      ...{ title: words.abortAsk(target), verb: words.moves.abort, danger: true },
      body: <p>{from === '' ? words.abortFirst : words.abortText(from)}</p>,
    },
    rollback: {
      ...{ title: words.backAsk(target, from), verb: words.moves.rollback, danger: true },
      body: <p>{words.backText}</p>,
    },
    again: { title: words.againAsk(target, to), verb: words.moves.again, body: <p>{words.againText}</p> },
  }
  const runs: Readonly<Record<Move, () => Promise<RolloutView | undefined>>> = {
    approve: () => client.call('approveRollout', { params }),
    continue: () => client.call('continueRollout', { params }),
    pause: () => client.call('pauseRollout', { params }),
    resume: () => client.call('resumeRollout', { params }),
    skip: () => client.call('skipStage', { params }),
    abort: () => client.call('abortRollout', { params }),
    rollback: () => client.call('rollbackRollout', { params }),
    again: async () => (await client.call('deploy', { params: { app }, body: { release: to, pool } })).rollout,
  }
  const move = async (which: Move): Promise<void> => {
    const ask = asks[which]
    const next = await act({
      ...(ask === undefined ? {} : { ask }),
      run: runs[which],
      done: words.done[which](target),
    })
    if (next !== undefined && next.id !== id) navigate(path('rollouts', next.id))
  }
  return { busy, move }
}
