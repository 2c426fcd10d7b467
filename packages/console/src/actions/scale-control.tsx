import type { PoolView } from '@berth/api/app-resources'
import { type ReactNode, useState } from 'react'
import { Button, RoleButton } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { searchOf } from '../plan/plan-question.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

interface ScaleControlProps {
  readonly app: string
  readonly pool: string
  readonly entrypoint: PoolView['entrypoints'][number]
  /** What `berth.yaml` says. */
  readonly inSpec: number | undefined
  /** What else can be done with it. */
  readonly children?: ReactNode
}

/** As the server takes it. */
const mostReplicas = 10_000

/** How many there are and shall be; the button opens the stepper. */
export function ScaleControl(props: ScaleControlProps) {
  const text = useText()
  const [open, setOpen] = useState(false)
  const { name, ready, wanted, setBy } = props.entrypoint
  return (
    <span className="scale">
      <span className="number scale-count">
        <strong>{ready}</strong>
        <span className="muted">{` / ${wanted} ${text.pool.ready.toLowerCase()}`}</span>
      </span>
      {setBy === 'scale' && props.inSpec !== undefined && props.inSpec !== wanted && (
        <span className="chip chip-warn">{`yaml: ${props.inSpec}`}</span>
      )}
      <RoleButton needs="deployer" small onClick={() => setOpen(true)} aria-label={`${text.action.scale} ${name}`}>
        {text.action.scale}
      </RoleButton>
      {props.children}
      {open && <ScaleDialog {...props} onClose={() => setOpen(false)} />}
    </span>
  )
}

function ScaleDialog({ app, pool, entrypoint, inSpec, onClose }: ScaleControlProps & { readonly onClose: () => void }) {
  const text = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const { name, wanted } = entrypoint
  const [count, setCount] = useState(wanted)
  const set = (next: number) => setCount(Math.max(0, Math.round(next) || 0))
  const tooMany = count > mostReplicas ? text.confirm.scaleMost(mostReplicas) : undefined
  const scale = () =>
    submit({
      run: () => client.call('scalePool', { params: { app, pool }, body: { replicas: { [name]: count } } }),
      done: text.done.scaled(`${app}/${pool}`),
      after: onClose,
    })
  return (
    <Dialog
      title={text.confirm.scale(`${app}/${pool}/${name}`)}
      onClose={onClose}
      onSubmit={scale}
      footer={
        <>
          <Link
            to={`${path('apps', app, pool, 'plan')}${searchOf({ replicas: { [name]: count } })}`}
            className="button button-quiet"
            onClick={onClose}
          >
            {text.plan.ask}
          </Link>
          <Button onClick={onClose}>{text.common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || count === wanted || tooMany !== undefined}>
            {text.action.scale}
          </Button>
        </>
      }
    >
      <Problem text={tooMany ?? problem} />
      <div className="stepper">
        <Button icon="minus" aria-label={text.action.less} disabled={count === 0} onClick={() => set(count - 1)} />
        <input
          type="number"
          min={0}
          aria-label={text.pool.wanted}
          value={count}
          onChange={(event) => set(event.target.valueAsNumber)}
        />
        <Button icon="plus" aria-label={text.action.more} onClick={() => set(count + 1)} />
      </div>
      <p className="mono">{text.confirm.scaleLine(name, wanted, count)}</p>
      {count === 0 && <p className="warn-text">{text.confirm.scaleZero}</p>}
      {inSpec !== undefined && count !== inSpec && <p className="muted">{text.drift.scale(name, count, inSpec)}</p>}
    </Dialog>
  )
}
