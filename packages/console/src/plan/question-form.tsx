import type { PoolView } from '@berth/api/app-resources'
import type { NodeView } from '@berth/api/node-resources'
import { type FormEvent, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { newestFirst } from '../pages/release-table.tsx'
import { ChipsField } from './chips-field.tsx'
import { isImagined, type PlanQuestion } from './plan-question.ts'

interface QuestionFormProps {
  readonly pool: PoolView
  readonly nodes: readonly NodeView[]
  readonly start: PlanQuestion
  readonly busy: boolean
  readonly onAsk: (question: PlanQuestion) => void
}

/** What to plan: a release, a commit or what runs, other counts, other nodes than there are. */
export function QuestionForm({ pool, nodes, start, busy, onAsk }: QuestionFormProps) {
  const { plan: text } = useText()
  const [question, setQuestion] = useState(start)
  const change = (part: Partial<PlanQuestion>) => setQuestion({ ...question, ...part })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onAsk(question)
  }
  return (
    <form className="plan-question" onSubmit={submit}>
      <What pool={pool} question={question} onChange={change} />
      <Counts pool={pool} question={question} onChange={change} />
      <ChipsField
        label={text.without}
        hint={text.withoutHint}
        placeholder={nodes[0]?.name ?? ''}
        values={question.without}
        options={nodes.map(({ name }) => name)}
        fits={(name) => nodes.some((node) => node.name === name)}
        onChange={(without) => change({ without })}
      />
      <ChipsField
        label={text.with}
        hint={text.withHint}
        placeholder="5xc16m64"
        values={question.with}
        fits={isImagined}
        onChange={(added) => change({ with: added })}
      />
      <Button kind="primary" type="submit" disabled={busy}>
        {busy ? text.planning : text.ask}
      </Button>
    </form>
  )
}

interface PartProps {
  readonly pool: PoolView
  readonly question: PlanQuestion
  readonly onChange: (part: Partial<PlanQuestion>) => void
}

function What({ pool, question, onChange }: PartProps) {
  const { plan: text, deploy } = useText()
  const releases = useGlance('listReleases', { params: { app: pool.app } })
  const [commit, setCommit] = useState(question.ref !== '')
  const choose = (value: string) => {
    setCommit(value === 'commit')
    onChange({ release: value === 'commit' ? '' : value, ref: value === 'commit' ? 'HEAD' : '' })
  }
  return (
    <>
      <Field label={text.what}>
        <select value={commit ? 'commit' : question.release} onChange={(event) => choose(event.target.value)}>
          <option value="">{text.running(pool.release ?? '–')}</option>
          <option value="commit">{deploy.commit}</option>
          {question.release !== '' && !releases.some(({ id }) => id === question.release) && (
            <option>{question.release}</option>
          )}
          {newestFirst(releases).map(({ id, subject }) => (
            <option key={id} value={id}>
              {[id, subject].filter(Boolean).join(' · ')}
            </option>
          ))}
        </select>
      </Field>
      {commit && (
        <Field label={deploy.ref}>
          <input
            className="mono"
            required
            spellCheck={false}
            value={question.ref}
            onChange={(event) => onChange({ ref: event.target.value.trim() })}
          />
        </Field>
      )}
    </>
  )
}

/** As the server takes it; the browser says so before it asks. */
const mostReplicas = 10_000

/** Of services that are counted; what runs on every node has no number. */
function Counts({ pool, question, onChange }: PartProps) {
  const { plan: text } = useText()
  const counted = pool.entrypoints.filter(({ type, setBy }) => type === 'service' && setBy !== 'nodes')
  const set = (name: string, wanted: number, value: string) => {
    const { [name]: _, ...rest } = question.replicas
    const count = Math.max(0, Math.round(Number(value)) || 0)
    onChange({ replicas: value === '' || count === wanted ? rest : { ...rest, [name]: count } })
  }
  return (
    <div className="plan-counts">
      {counted.map(({ name, wanted }) => (
        <Field key={name} label={text.instancesOf(name)}>
          <input
            type="number"
            min={0}
            max={mostReplicas}
            value={question.replicas[name] ?? wanted}
            onChange={(event) => set(name, wanted, event.target.value)}
          />
        </Field>
      ))}
    </div>
  )
}
