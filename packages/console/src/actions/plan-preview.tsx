import type { NodeView } from '@berth/api/node-resources'
import type { PlanView } from '@berth/api/planning-resources'
import { Diff } from '../components/diff.tsx'
import { Banner } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { PlacementList } from '../plan/placement-list.tsx'

interface PlanPreviewProps {
  readonly plan: PlanView
  readonly nodes?: readonly NodeView[]
  /** With everything open: where there is room for it. */
  readonly whole?: boolean
}

export function PlanPreview({ plan, nodes, whole = false }: PlanPreviewProps) {
  const { deploy: text, plan: words } = useText()
  const { problems, placements, diff, entrypoints, steps } = plan
  return (
    <div className="plan">
      {problems.length > 0 && <Banner tone="bad" title={text.problems} lines={problems} />}
      {!plan.changes && <p className="muted">{text.noChanges}</p>}
      {diff.length > 0 && (
        <>
          <h3>{text.changes}</h3>
          <Diff changes={diff} />
        </>
      )}
      <h3>{text.effect}</h3>
      <ul className="effects">
        {entrypoints.map((each) => (
          <li key={each.name}>
            <code>{each.name}</code>
            <span>{effectText(text, each)}</span>
          </li>
        ))}
      </ul>
      {(whole || placements.some((each) => each.nodes.length > 0 || each.missing > 0)) && (
        <>
          <h3>{words.placements}</h3>
          <PlacementList placements={placements} {...(nodes === undefined ? {} : { nodes })} />
        </>
      )}
      {steps.length > 0 && (
        <details open={whole}>
          <summary>{text.steps}</summary>
          <ol>
            {steps.map((step) => (
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
  const { now, lowest, highest } = each.serving
  const dip = each.replace > 0 ? ` (${text.serving(lowest, now, highest)})` : ''
  return `${parts.length === 0 ? text.unchanged(0) : parts.join(', ')}${dip}`
}
