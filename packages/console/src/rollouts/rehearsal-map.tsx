import type { RehearsalView } from '@berth/api/planning-resources'
import { Banner } from '../components/layout.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useLanguage } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { rehearsalWords } from './rehearsal-words.ts'

type Stage = RehearsalView['stages'][number]
type Counted = Stage['created'][number]

const shownNodes = 24

/** What comes and goes on each node in each stage, how many serve meanwhile, and what cannot be known. */
export function RehearsalMap({ rehearsal }: { readonly rehearsal: RehearsalView }) {
  const words = rehearsalWords(useLanguage().language)
  const { stages, end, unplaced, unknown, kept } = rehearsal
  return (
    <div className="rehearsal">
      {end !== 'unknown' && <Legend />}
      {stages.map((stage, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: stages neither move nor are added
        <StageMap key={index} stage={stage} place={index + 1} />
      ))}
      {end === 'stuck' && (
        <Banner
          tone="bad"
          title={words.stuck}
          lines={unplaced.map(({ entrypoint, count, why }) => words.unplaced(entrypoint, count, why))}
        />
      )}
      {end === 'long' && <p className="muted small">{words.long}</p>}
      {kept.length > 0 && <KeptAddresses kept={kept} />}
      <h3>{words.unknownTitle}</h3>
      <ul className="small muted">
        {end !== 'unknown' && <li>{words.always}</li>}
        {unknown.map((each) => (
          <li key={each}>{words.unknown[each]}</li>
        ))}
      </ul>
    </div>
  )
}

function Legend() {
  const words = rehearsalWords(useLanguage().language)
  return (
    <ul className="map-legend small muted">
      <li>
        <span className="cell-key cell-new" aria-hidden="true" /> {words.comes}
      </li>
      <li>
        <span className="cell-key cell-old cell-leaving" aria-hidden="true" /> {words.goes}
      </li>
    </ul>
  )
}

function StageMap({ stage, place }: { readonly stage: Stage; readonly place: number }) {
  const words = rehearsalWords(useLanguage().language)
  const { name, created, left, serving } = stage
  const nodes = [...new Set([...created, ...left].map(({ node }) => node))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  )
  const line = (node: string) => <NodePlaces key={node} node={node} stage={stage} />
  return (
    <section className="rehearsal-stage" aria-label={name}>
      <h3>
        {place}. {name}
      </h3>
      <ul className="rehearsal-serving small">
        {Object.entries(serving).map(([entrypoint, { lowest, highest }]) => (
          <li key={entrypoint}>{words.serving(entrypoint, lowest, highest)}</li>
        ))}
      </ul>
      {nodes.length === 0 && <p className="muted small">{words.still}</p>}
      <ul className="node-map">{nodes.slice(0, shownNodes).map(line)}</ul>
      {nodes.length > shownNodes && (
        <details>
          <summary>{words.otherNodes(nodes.length - shownNodes)}</summary>
          <ul className="node-map">{nodes.slice(shownNodes).map(line)}</ul>
        </details>
      )}
    </section>
  )
}

function NodePlaces({ node, stage: { created, left, peaks } }: { readonly node: string; readonly stage: Stage }) {
  const words = rehearsalWords(useLanguage().language)
  const peak = peaks.find((each) => each.node === node)
  return (
    <li className="node-cells">
      <Link to={path('nodes', node)} className="small">
        {node}
      </Link>
      <span className="cells">
        {created
          .filter((each) => each.node === node)
          .map((each) => (
            <Cell
              key={`${each.entrypoint} ${each.isNew}`}
              of={each}
              label={(each.isNew ? words.newOne : words.anew)(each.entrypoint, each.count)}
              look={each.isNew ? 'cell-new' : 'cell-old'}
            />
          ))}
        {left
          .filter((each) => each.node === node)
          .map((each) => (
            <Cell
              key={`${each.entrypoint} ${each.isNew}`}
              of={each}
              label={words.oldOne(each.entrypoint, each.count)}
              look="cell-old cell-leaving"
            />
          ))}
      </span>
      {peak !== undefined && (
        <span className="muted small">
          {words.peak(
            formatCores(peak.cpuMilli),
            formatCores(peak.ofCpuMilli),
            formatBytes(peak.memoryBytes),
            formatBytes(peak.ofMemoryBytes),
          )}
        </span>
      )}
    </li>
  )
}

interface CellProps {
  readonly of: Counted
  readonly label: string
  readonly look: string
}

const Cell = ({ of: { entrypoint, count }, label, look }: CellProps) => (
  <span className={`cell ${look}`} role="img" title={label} aria-label={label}>
    {count === 1 ? entrypoint : `${entrypoint} ×${count}`}
  </span>
)

function KeptAddresses({ kept }: { readonly kept: RehearsalView['kept'] }) {
  const words = rehearsalWords(useLanguage().language)
  return (
    <>
      <h3>{words.kept}</h3>
      <ul className="kept-addresses small">
        {kept.map(({ entrypoint, slot, address, node, home = '–', onlyThere }) => (
          <li key={address}>
            <code>
              {entrypoint} {slot}
            </code>
            <code>{address}</code>
            <span>{node ?? '–'}</span>
            <span className="muted" title={onlyThere}>
              {onlyThere === undefined ? words.anyNode : words.onlyHome(home)}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}
