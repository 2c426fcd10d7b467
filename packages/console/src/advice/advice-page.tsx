import type { AdviceView } from '@berth/api/sizing-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { ResizeButton } from '../actions/resize-button.tsx'
import { Banner, Empty, Page, Problem, Section } from '../components/layout.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { formatBytes, formatCores, formatDuration, sizeText } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { UseBar } from './use-bar.tsx'
import '../styles/advice.css'

const everyMs = 60_000

/** What each entrypoint asks for beside what it uses, what frees most first. */
export default function AdvicePage() {
  const { advice: text } = useText()
  const { value, error } = usePolled('getAdvice', {}, everyMs)
  const changes = value?.items.filter(({ kind }) => kind === 'change') ?? []
  const others = value?.items.filter(({ kind }) => kind !== 'change') ?? []
  return (
    <Page title={text.title} about={text.about}>
      {value === undefined && error !== undefined && <Problem text={messageOf(error)} />}
      {value === undefined && error === undefined && <Skeleton />}
      {(value?.missing.length ?? 0) > 0 && (
        <Banner tone="warn" title={text.missing} lines={[value?.missing.join(', ') ?? '']} />
      )}
      {value !== undefined && (
        <Section title={text.changes} flush>
          {changes.length === 0 ? (
            <Empty icon="check" title={text.none} />
          ) : (
            <ul className="rows">
              {changes
                .toSorted((a, b) => freed(b) - freed(a))
                .map((each) => (
                  <Advice key={nameOf(each)} advice={each} />
                ))}
            </ul>
          )}
        </Section>
      )}
      {others.length > 0 && (
        <Section title={text.others} flush>
          <Others advice={others} />
        </Section>
      )}
    </Page>
  )
}

const freed = ({ frees }: AdviceView): number => frees?.cpuMilli ?? 0
const nameOf = ({ app, pool, entrypoint }: AdviceView): string => `${app}/${pool}/${entrypoint}`

function Subject({ advice: { app, pool, entrypoint } }: { readonly advice: AdviceView }) {
  return (
    <span className="two-lines">
      <Link to={path('apps', app, pool, 'entrypoints', entrypoint)} className="row-subject">
        {entrypoint}
      </Link>
      <span className="muted small">{`${app}/${pool}`}</span>
    </span>
  )
}

function Advice({ advice }: { readonly advice: AdviceView }) {
  const { advice: text, units } = useText()
  const { app, pool, entrypoint, asked, used, advised = {}, frees, confidence, reasons, instances, yaml = [] } = advice
  const { replicasInstead, command } = advice
  return (
    <li className="advice">
      <Subject advice={advice} />
      <div className="advice-use">
        {used !== undefined && (
          <>
            <UseBar
              name={text.cpu}
              asked={asked.cpuMilli}
              advised={advised.cpuMilli}
              usual={used.cpuP95Milli}
              most={used.cpuMaxMilli}
              format={formatCores}
            />
            <UseBar
              name={text.memory}
              asked={asked.memoryBytes}
              advised={advised.memoryBytes}
              usual={used.memoryMaxBytes}
              most={used.memoryMaxBytes}
              format={formatBytes}
            />
          </>
        )}
        {reasons.map((reason) => (
          <p key={reason} className="muted small">
            {reason}
          </p>
        ))}
        {replicasInstead !== undefined && <p className="muted small">{text.instead(replicasInstead)}</p>}
        {yaml.length > 0 && (
          <details className="small">
            <summary>{text.yaml}</summary>
            <pre className="command">{yaml.join('\n')}</pre>
          </details>
        )}
      </div>
      <div className="advice-end">
        <strong>{`${sizeText(asked)} → ${sizeText({ ...asked, ...advised })}`}</strong>
        <span className="muted small">
          {[
            units.instances(instances),
            frees !== undefined && freesText(text, frees),
            confidence !== undefined && text.confidence[confidence],
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
        {command !== undefined && (
          <ResizeButton
            small
            label={text.apply}
            target={{ app, pool, entrypoint }}
            sizes={asked}
            proposed={{ ...asked, ...advised }}
          />
        )}
      </div>
    </li>
  )
}

type Words = ReturnType<typeof useText>['advice']

function freesText(text: Words, { cpuMilli, memoryBytes }: NonNullable<AdviceView['frees']>): string {
  const parts = [
    cpuMilli !== 0 && `${formatCores(Math.abs(cpuMilli))} CPU`,
    memoryBytes !== 0 && formatBytes(Math.abs(memoryBytes)),
  ].filter((part) => part !== false)
  return cpuMilli < 0 || memoryBytes < 0 ? text.takes(parts.join(' · ')) : text.frees(parts.join(' · '))
}

function Others({ advice }: { readonly advice: readonly AdviceView[] }) {
  const { advice: text } = useText()
  const columns: readonly Column<AdviceView>[] = [
    { key: 'what', title: text.entrypoint, lead: true, cell: (each) => <Subject advice={each} /> },
    {
      key: 'why',
      title: text.verdict,
      wide: true,
      cell: ({ kind, moreMs, reasons }) =>
        [kind === 'keep' ? text.keep : text.wait(formatDuration(moreMs ?? 0)), ...reasons].join(' '),
    },
    { key: 'asked', title: text.asked, align: 'right', cell: ({ asked }) => sizeText(asked) },
  ]
  return <Table label={text.others} columns={columns} rows={advice} rowKey={nameOf} />
}
