import type { PlanView } from '@berth/api/planning-resources'
import { useText } from '../i18n/language.tsx'

type Change = PlanView['diff'][number]

export function Diff({ changes }: { readonly changes: readonly Change[] }) {
  return (
    <ul className="diff">
      {changes.map((change) => (
        <DiffLine key={`${change.op} ${change.path}`} change={change} />
      ))}
    </ul>
  )
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
