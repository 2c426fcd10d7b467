import type { PlanView } from '@berth/api/resources'
import { Banner } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'

type Change = PlanView['diff'][number]

export function PlanPreview({ plan }: { readonly plan: PlanView }) {
  const { deploy: text } = useText()
  return (
    <div className="plan">
      {plan.problems.length > 0 && <Banner tone="bad" title={text.problems} lines={plan.problems} />}
      {!plan.changes && <p className="muted">{text.noChanges}</p>}
      {plan.diff.length > 0 && (
        <>
          <h3>{text.changes}</h3>
          <ul className="diff">
            {plan.diff.map((change) => (
              <DiffLine key={`${change.op} ${change.path}`} change={change} />
            ))}
          </ul>
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

const classes = { '+': 'diff-added', '-': 'diff-removed', '~': 'diff-changed' } as const

function DiffLine({ change }: { readonly change: Change }) {
  const { deploy: text } = useText()
  const word = { '+': text.added, '-': text.removed, '~': text.changed }[change.op]
  return (
    <li className={classes[change.op]}>
      <span className="diff-op" aria-hidden="true">
        {change.op}
      </span>
      <span className="visually-hidden">{word}</span>
      <span className="diff-text">
        <span className="diff-path">{change.path}</span>
        {change.op !== '+' && <del>{write(change.before)}</del>}
        {change.op === '~' && <span aria-hidden="true"> → </span>}
        {change.op !== '-' && <ins>{write(change.after)}</ins>}
      </span>
    </li>
  )
}

const write = (value: unknown): string => JSON.stringify(value) ?? ''
