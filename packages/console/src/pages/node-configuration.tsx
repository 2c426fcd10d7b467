import type { ConfigVersionView, NodeConfigView } from '@berth/api/node-config-resources'
import { Age } from '../components/age.tsx'
import { Section } from '../components/layout.tsx'
import { personOf } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'
import { useList } from '../store/context.tsx'

const tones: Readonly<Record<NodeConfigView['state'], Tone>> = {
  none: 'off',
  waiting: 'off',
  applying: 'busy',
  returning: 'busy',
  applied: 'ok',
  returned: 'warn',
  undone: 'bad',
  failed: 'bad',
}

const shownVersions = 10

/** Which version of the node configuration a node has, what has drifted from it, and where versions came from. */
export function NodeConfiguration({ config }: { readonly config: NodeConfigView }) {
  const { nodeConfig: text } = useText()
  const { items } = useList('listNodeConfigVersions', {})
  const { state, version, wanted, why, output = [], drift } = config
  const tone = state === 'applied' && drift.length > 0 ? 'warn' : tones[state]
  return (
    <Section title={text.title} flush>
      <ul className="rows">
        <li className="row">
          <span className={`status tone-${tone}`}>
            <Mark tone={tone} />
            <span>{text.states[state]}</span>
          </span>
          <span className="row-main">
            {version === wanted ? text.has(version) : text.isToHave(version, wanted)}
            {why !== undefined && <span className="muted"> {why}</span>}
          </span>
        </li>
        {output.length > 0 && (
          <li className="row">
            <pre className="mono">{output.join('\n')}</pre>
          </li>
        )}
        {drift.map(({ key, before, after }) => (
          <li key={key} className="row">
            <span className="muted">{text.drifted}</span>
            <span className="row-main mono">
              {key}: {brief(before)} ≠ {brief(after)}
            </span>
          </li>
        ))}
      </ul>
      <Versions versions={[...items].sort((a, b) => b.version - a.version).slice(0, shownVersions)} />
    </Section>
  )
}

function Versions({ versions }: { readonly versions: readonly ConfigVersionView[] }) {
  const { nodeConfig: text } = useText()
  return (
    <Table
      label={text.history}
      rows={versions}
      rowKey={({ version }) => String(version)}
      columns={[
        { key: 'version', title: text.version, lead: true, cell: ({ version }) => version },
        { key: 'state', title: text.state, cell: ({ state }) => text.rolloutStates[state] },
        {
          ...{ key: 'source', title: text.source, wide: true },
          cell: ({ source: { rollbackTo, repository, path, commit = '' } }) =>
            rollbackTo === undefined
              ? [repository ?? path, commit.slice(0, 12)].filter(Boolean).join(' · ')
              : text.again(rollbackTo),
        },
        { key: 'by', title: text.by, cell: ({ createdBy }) => personOf(createdBy) },
        { key: 'at', title: text.at, cell: ({ createdAt }) => <Age at={createdAt} /> },
      ]}
    />
  )
}

const brief = (value: unknown): string => {
  const text = value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
