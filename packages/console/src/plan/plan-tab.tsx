import type { PoolView } from '@berth/api/app-resources'
import type { PlanView } from '@berth/api/planning-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { PlanPreview } from '../actions/plan-preview.tsx'
import { Button, RoleButton } from '../components/button.tsx'
import { Banner, Problem, Section } from '../components/layout.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useOne } from '../live/use-one.ts'
import { usePolled } from '../live/use-polled.ts'
import { navigate, useLocation } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { ApplyDialog } from './apply-dialog.tsx'
import { CapacityTable } from './capacity.tsx'
import { hypothesisOf, planBodyOf, questionOf, searchOf } from './plan-question.ts'
import { QuestionForm } from './question-form.tsx'
import { download, fileNameOf } from './saved-plan.ts'
import { useApply } from './use-apply.ts'
import '../styles/plan.css'

const capacityEveryMs = 30_000

/** What would be: of a release, with other counts, on other nodes; to be kept as a file, and done exactly. */
export default function PlanTab({ pool }: { readonly pool: PoolView }) {
  const { plan: text, capacity: words } = useText()
  const search = useLocation().split('?')[1] ?? ''
  const question = questionOf(search)
  const [asked, setAsked] = useState(0)
  const [applying, setApplying] = useState(false)
  const nodes = useGlance('listNodes', {})
  const params = { app: pool.app, pool: pool.name }
  const plan = useOne('planDeploy', { params: { app: pool.app }, body: planBodyOf(question, pool.name) }, asked)
  const capacity = usePolled('getCapacity', { params, body: hypothesisOf(question) }, capacityEveryMs, asked)
  const place = path('apps', pool.app, pool.name, 'plan')
  return (
    <>
      <Section
        title={text.question}
        aside={
          <RoleButton needs="deployer" small onClick={() => setApplying(true)}>
            {text.applyButton}
          </RoleButton>
        }
      >
        <QuestionForm
          key={search}
          pool={pool}
          nodes={nodes}
          start={question}
          busy={plan.value === undefined && plan.error === undefined}
          onAsk={(next) => {
            navigate(`${place}${searchOf(next)}`)
            setAsked(asked + 1)
          }}
        />
      </Section>
      <section className="section" aria-label={text.title}>
        <h2>{text.title}</h2>
        {plan.error !== undefined && <Problem text={messageOf(plan.error)} />}
        {plan.value === undefined && plan.error === undefined && <Skeleton rows={3} />}
        {plan.value !== undefined && (
          <div className="panel plan-result">
            <PlanPreview plan={plan.value} nodes={nodes} whole />
            <PlanActions plan={plan.value} />
          </div>
        )}
      </section>
      {(capacity.value?.entrypoints.length ?? 0) > 0 && (
        <Section title={words.title} flush>
          <CapacityTable capacity={capacity.value?.entrypoints ?? []} />
        </Section>
      )}
      {applying && <ApplyDialog onClose={() => setApplying(false)} />}
    </>
  )
}

/** Keep it, or do it: exactly this, or not at all. */
function PlanActions({ plan }: { readonly plan: PlanView }) {
  const { plan: text } = useText()
  const { busy, problem, apply } = useApply()
  const { saved, unsaved, changes } = plan
  if (saved === undefined)
    return unsaved === undefined ? null : <Banner tone="info" title={text.unsaved} lines={[unsaved]} />
  return (
    <>
      <Problem text={problem} />
      <div className="plan-actions">
        <Button onClick={() => download(fileNameOf(saved), `${JSON.stringify(saved, null, 2)}\n`)}>{text.save}</Button>
        {changes && plan.problems.length === 0 && (
          <RoleButton needs="deployer" kind="primary" disabled={busy} onClick={() => apply(saved)}>
            {text.applyThis}
          </RoleButton>
        )}
        <span className="muted small">{text.exactly}</span>
      </div>
    </>
  )
}
