import { useState } from 'react'
import { useText } from '../i18n/language.tsx'
import type { FlowEdge, FlowNode, FlowPicture } from './flow-model.ts'

const rowHeight = 28

interface Chosen {
  readonly side: 'from' | 'to'
  readonly key: string
}

/** Who begins on the left, who answers on the right. Pointing at one, or going there by Tab, shows its own lines; pressing keeps them. */
export function FlowGraph({ picture }: { readonly picture: FlowPicture }) {
  const { network: text } = useText()
  const [seen, setSeen] = useState<Chosen>()
  const [kept, setKept] = useState<Chosen>()
  const { senders, receivers, edges, hidden } = picture
  const chosen = seen ?? kept
  const isOwn = (edge: FlowEdge): boolean => chosen === undefined || edge[chosen.side] === chosen.key
  const isLit = (side: Chosen['side'], key: string): boolean =>
    chosen === undefined || edges.some((edge) => isOwn(edge) && edge[side] === key)
  const rows = Math.max(senders.length, receivers.length)
  const side = (which: Chosen['side'], nodes: readonly FlowNode[], title: string) => (
    <ul className={`flow-side flow-side-${which}`} aria-label={title}>
      {nodes.map((node) => (
        <li key={node.key}>
          <button
            type="button"
            className={isLit(which, node.key) ? 'flow-end' : 'flow-end flow-dim'}
            aria-pressed={kept?.side === which && kept.key === node.key}
            aria-label={labelOf(picture, which, node, nameOf(text.outside, node), text)}
            title={nameOf(text.outside, node)}
            onMouseEnter={() => setSeen({ side: which, key: node.key })}
            onMouseLeave={() => setSeen(undefined)}
            onFocus={() => setSeen({ side: which, key: node.key })}
            onBlur={() => setSeen(undefined)}
            onClick={() =>
              setKept(kept?.side === which && kept.key === node.key ? undefined : { side: which, key: node.key })
            }
          >
            <span className="flow-name">{nameOf(text.outside, node)}</span>
            <span className="number muted">{node.flows}</span>
          </button>
        </li>
      ))}
    </ul>
  )
  return (
    <section className="panel flow-graph" aria-label={text.flows.picture}>
      <p className="flow-heads muted small">
        <span className="flow-head">{text.flows.senders}</span>
        <span className="flow-head">{text.flows.receivers}</span>
      </p>
      <div className="flow-columns">
        {side('from', senders, text.flows.senders)}
        <svg
          className="flow-lines"
          viewBox={`0 0 100 ${rows * rowHeight}`}
          style={{ height: rows * rowHeight }}
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          {edges
            .toSorted((a, b) => Number(isOwn(a)) - Number(isOwn(b)))
            .map((edge) => (
              <path
                key={`${edge.from} ${edge.to}`}
                className={`flow-line${edge.dropped > 0 ? ' flow-dropped' : ''}${isOwn(edge) ? '' : ' flow-dim'}`}
                style={{ strokeWidth: 1 + Math.min(5, Math.log2(edge.flows)) }}
                d={curve(placeOf(senders, edge.from), placeOf(receivers, edge.to))}
              />
            ))}
        </svg>
        {side('to', receivers, text.flows.receivers)}
      </div>
      {hidden > 0 && <p className="muted small">{text.flows.hidden(hidden)}</p>}
    </section>
  )
}

const nameOf = (outside: string, { kind, name }: FlowNode): string => (kind === 'outside' ? outside : name)

const placeOf = (nodes: readonly FlowNode[], key: string): number =>
  (nodes.findIndex((node) => node.key === key) + 0.5) * rowHeight

const curve = (from: number, to: number): string => `M0 ${from}C45 ${from} 55 ${to} 100 ${to}`

/** What the lines say, for who does not see them. */
function labelOf(
  { senders, receivers, edges }: FlowPicture,
  side: Chosen['side'],
  node: FlowNode,
  name: string,
  text: ReturnType<typeof useText>['network'],
): string {
  const others = edges.filter((edge) => edge[side] === node.key)
  const opposite = side === 'from' ? 'to' : 'from'
  const known = new Map([...senders, ...receivers].map((each) => [each.key, nameOf(text.outside, each)]))
  const list = others.slice(0, 20).map((edge) => `${known.get(edge[opposite])} (${edge.flows})`)
  return `${name} ${side === 'from' ? '→' : '←'} ${list.join(', ')}`
}
