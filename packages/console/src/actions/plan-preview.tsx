import type { PlanView } from '@berth/api/resources'
import { Diff } from '../components/diff.tsx'
import { Banner } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'

export function PlanPreview({ plan }: { readonly plan: PlanView }) {
  const { deploy: text } = useText()
  return (
    <div className="plan">
      {plan.problems.length > 0 && <Banner tone="bad" title={text.problems} lines={plan.problems} />}
      {!plan.changes && <p className="muted">{text.noChanges}</p>}
      {plan.diff.length > 0 && (
        <>
          <h3>{text.changes}</h3>
          <Diff changes={plan.diff} />
        </>
      )}
      <h3>{text.effect}</h3>
      <ul className="effects">
        {plan.entrypoints.map((each) => (
          <li key={each.name}>
            <code>{each.name}</code>
            <span>{effectText(text, each)}</span>
          </li>
        ))}
      </ul>
      {plan.steps.length > 0 && (
        <details>
          <summary>{text.steps}</summary>
          <ol>
            {plan.steps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
        </details>
      )}
    </div>
  )
}

function effectText(text: ReturnType<typeof useText>['deploy'], each: PlanView['entrypoints'][number]): string {
  const parts = (['create', 'replace', 'destroy', 'unchanged'] as const)
    .filter((key) => each[key] > 0)
    .map((key) => text[key](each[key]))
  return parts.length === 0 ? text.unchanged(0) : parts.join(', ')
}
