import type { PoolView } from '@berth/api/app-resources'
import { Age, Until } from '../components/age.tsx'
import { Icon } from '../components/icons.tsx'
import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import type { Attention } from '../live/attention.ts'
import { diagnose, worstFirst } from '../live/diagnosis.ts'
import { useGlance } from '../live/use-glance.ts'
import { Link } from '../router/link.tsx'

/** Each reason asks for the instances of its pool: only for so many. */
const mostReasons = 5

export function AttentionList({ items }: { readonly items: readonly Attention[] }) {
  const { attention: text } = useText()
  let reasons = 0
  return (
    <section className="section" aria-label={text.title}>
      <div className="section-head">
        <h2>{text.title}</h2>
        <span className="tab-count">{items.length}</span>
      </div>
      <ul className="panel panel-flush rows">
        {items.map((item) => {
          if (item.pool !== undefined) reasons += 1
          return <AttentionLine key={item.key} item={item} explained={reasons <= mostReasons} />
        })}
      </ul>
    </section>
  )
}

function AttentionLine({ item, explained }: { readonly item: Attention; readonly explained: boolean }) {
  const { attention: text } = useText()
  const { tone, subject, what, detail, to, action, at, pool } = item
  return (
    <li className={`row attention attention-${tone}`}>
      <Mark tone={tone} />
      <div className="row-main">
        <p>
          <Link to={to} className="row-subject">
            {subject}
          </Link>{' '}
          {what}
          {action === 'certificates' && at !== undefined && (
            <>
              {' '}
              <Until at={at} />
            </>
          )}
          {detail !== undefined && <span className="muted"> · {detail}</span>}
        </p>
        {pool !== undefined && explained && <Reason pool={pool} />}
      </div>
      {at !== undefined && action !== 'certificates' && (
        <span className="row-age muted">
          <Age at={at} />
        </span>
      )}
      <Link to={to} className="button button-plain button-small" aria-label={`${text.actions[action]}: ${subject}`}>
        {text.actions[action]}
        <Icon name="chevron" />
      </Link>
    </li>
  )
}

/** What the worst instance of a pool says. */
function Reason({ pool: { app, name, entrypoints } }: { readonly pool: PoolView }) {
  const { diagnosis: text } = useText()
  const counts = entrypoints.map(({ running, ready }) => `${running}/${ready}`).join(' ')
  const instances = useGlance('listInstances', { query: { app, pool: name } }, counts)
  const worst = worstFirst(instances.filter(({ type }) => type === 'service'))[0]
  const diagnosis = worst && diagnose(worst)
  if (worst === undefined || diagnosis === undefined) return null
  return (
    <p className="muted small row-detail">
      <strong>{worst.name}</strong> {diagnosis.detail ?? text.problems[diagnosis.problem].toLowerCase()}
    </p>
  )
}
