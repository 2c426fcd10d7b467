import type { NodeView } from '@berth/api/node-resources'
import type { PlacementView } from '@berth/api/planning-resources'
import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface PlacementListProps {
  readonly placements: readonly PlacementView[]
  /** To tell their groups, and which are imagined; absent: not told. */
  readonly nodes?: readonly NodeView[]
}

/** Where new instances would run: a square each, up to so many, and the number. */
export function PlacementList({ placements, nodes }: PlacementListProps) {
  const { plan: text } = useText()
  const shown = placements.filter((each) => each.nodes.length > 0 || each.missing > 0)
  if (shown.length === 0) return <p className="muted">{text.nothingPlaced}</p>
  return (
    <div className="placements">
      {shown.map((each) => (
        <Placement key={each.entrypoint} placement={each} nodes={nodes} />
      ))}
    </div>
  )
}

const mostSquares = 16
const shownNodes = 12

interface PlacementProps {
  readonly placement: PlacementView
  readonly nodes: readonly NodeView[] | undefined
}

function Placement({ placement: { entrypoint, nodes: on, missing, displaces = [] }, nodes }: PlacementProps) {
  const { plan: text, units } = useText()
  const line = ({ node, count }: PlacementView['nodes'][number]) => (
    <PlacementLine key={node} node={node} count={count} nodes={nodes} />
  )
  return (
    <div className="placement">
      <p>
        <code>{entrypoint}</code>{' '}
        <span className="muted">
          {units.instances(on.reduce((sum, each) => sum + each.count, 0))} · {units.nodes(on.length)}
        </span>
      </p>
      <ul className="placement-nodes">
        {on.slice(0, shownNodes).map(line)}
        {missing > 0 && (
          <li className="placement-missing">
            <span className="placement-node">
              <Mark tone="bad" /> {text.nowhere}
            </span>
            <strong className="number">{missing}</strong>
            <Squares count={missing} />
          </li>
        )}
      </ul>
      {displaces.length > 0 && <Displaced instances={displaces} />}
      {on.length > shownNodes && (
        <details>
          <summary>{text.otherNodes(on.length - shownNodes)}</summary>
          <ul className="placement-nodes">{on.slice(shownNodes).map(line)}</ul>
        </details>
      )}
    </div>
  )
}

/** Those of lower priority that have to leave for them. */
function Displaced({ instances }: { readonly instances: NonNullable<PlacementView['displaces']> }) {
  const { plan: text } = useText()
  return (
    <p className="placement-displaced small">
      <Mark tone="warn" />
      <span>
        {text.displaces(instances.length)}{' '}
        <span className="chips">
          {instances.map(({ instance, node }) => (
            <Link key={instance} to={path('instances', instance)} className="chip" title={node}>
              {instance}
            </Link>
          ))}
        </span>
      </span>
    </p>
  )
}

interface LineProps {
  readonly node: string
  readonly count: number
  readonly nodes: readonly NodeView[] | undefined
}

function PlacementLine({ node, count, nodes }: LineProps) {
  const { plan: text } = useText()
  const known = nodes?.find(({ name }) => name === node)
  const real = nodes === undefined || nodes.length === 0 || known !== undefined
  return (
    <li>
      <span className="placement-node">
        {real ? <Link to={path('nodes', node)}>{node}</Link> : node}
        {known !== undefined && <span className="muted small"> {known.group ?? 'default'}</span>}
        {!real && <span className="chip chip-after">{text.imagined}</span>}
      </span>
      <span className="number">{count}</span>
      <Squares count={count} />
    </li>
  )
}

const Squares = ({ count }: { readonly count: number }) => (
  <span className="squares" aria-hidden="true">
    {Array.from({ length: Math.min(count, mostSquares) }, (_, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: the squares are all alike
      <span key={index} className="square" />
    ))}
    {count > mostSquares && '…'}
  </span>
)
