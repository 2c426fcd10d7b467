import type { RolloutView } from '@berth/api/deploy-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import { Section } from '../components/layout.tsx'
import { Mark } from '../components/status.tsx'
import { useLanguage, useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { type Cell, type NodeCells, nodeMap } from './node-map.ts'
import { rolloutWords } from './rollout-words.ts'

/** Beyond it names would be a wall of text: then each is a square. */
const mostNamed = 80

interface InstanceMapProps {
  readonly rollout: RolloutView
  readonly instances: readonly InstanceView[]
}

/** Each node with its instances of the pool: filled ones are of the new release, framed ones of the old. */
export function InstanceMap({ rollout, instances }: InstanceMapProps) {
  const words = rolloutWords(useLanguage().language)
  const nodes = nodeMap(rollout, instances)
  const named = nodes.reduce((sum, { cells }) => sum + cells.length, 0) <= mostNamed
  if (nodes.length === 0) return null
  return (
    <Section title={words.map} aside={<Legend rollout={rollout} />}>
      <ul className={named ? 'node-map' : 'node-map node-map-dense'}>
        {nodes.map((each) => (
          <Node key={each.node ?? ''} of={each} named={named} />
        ))}
      </ul>
    </Section>
  )
}

function Node({ of: { node, cells }, named }: { readonly of: NodeCells; readonly named: boolean }) {
  const words = rolloutWords(useLanguage().language)
  return (
    <li className="node-cells">
      {node === undefined ? (
        <strong className="warn-text small">{words.noNode}</strong>
      ) : (
        <Link to={path('nodes', node)} className="small">
          {node}
        </Link>
      )}
      <span className="cells">
        {cells.map((cell) => (
          <InstanceCell key={cell.id} cell={cell} named={named} />
        ))}
      </span>
    </li>
  )
}

function InstanceCell({
  cell: { id, name, release, isNew, shown },
  named,
}: {
  readonly cell: Cell
  readonly named: boolean
}) {
  const text = useText()
  const words = rolloutWords(useLanguage().language)
  const label = `${name}: ${isNew ? words.newOne : words.oldOne} (${release}), ${text.state[shown.label]}`
  return (
    <Link
      to={path('instances', id)}
      className={`cell cell-${isNew ? 'new' : 'old'} cell-${shown.tone}`}
      title={label}
      aria-label={label}
    >
      {shown.tone !== 'ok' && <Mark tone={shown.tone} />}
      {named && name}
    </Link>
  )
}

function Legend({ rollout: { from, to } }: { readonly rollout: RolloutView }) {
  const words = rolloutWords(useLanguage().language)
  const old = from === undefined || from === to ? words.oldOne : `${words.oldOne} (${from})`
  return (
    <ul className="map-legend small muted">
      <li>
        <span className="cell-key cell-new cell-ok" aria-hidden="true" /> {`${words.newOne} (${to})`}
      </li>
      <li>
        <span className="cell-key cell-old cell-ok" aria-hidden="true" /> {old}
      </li>
      <li>
        <Mark tone="busy" /> {words.legend.busy}
      </li>
      <li>
        <Mark tone="bad" /> {words.legend.bad}
      </li>
    </ul>
  )
}
