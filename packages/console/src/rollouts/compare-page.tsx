import type { ReleaseDiffView, ReleaseView } from '@berth/api/app-resources'
import { type ReactNode, useState } from 'react'
import { Age } from '../components/age.tsx'
import { Diff } from '../components/diff.tsx'
import { Page, Section } from '../components/layout.tsx'
import { Code, Field, personOf, ReleaseLink } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useLanguage, useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useOne } from '../live/use-one.ts'
import { newestFirst, releaseNumber } from '../pages/release-table.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { CommitList } from './commit-list.tsx'
import { compareWords } from './compare-words.ts'
import '../styles/rollouts.css'

/** Two releases side by side, in the words of an environment; which two stands in the address. */
export default function ComparePage({ app }: { readonly app: string }) {
  const text = useText()
  const words = compareWords(useLanguage().language)
  const releases = newestFirst(useList('listReleases', { params: { app } }).items)
  const pools = useGlance('listApps', {}).find(({ name }) => name === app)?.pools ?? []
  const [wantedFrom, setFrom] = useQueryValue('from')
  const [wantedTo, setTo] = useQueryValue('to')
  const [chosen, setPool] = useState<string>()
  const to = wantedTo || releases[0]?.id || ''
  const from = wantedFrom || releases.find(({ id }) => releaseNumber(id) < releaseNumber(to))?.id || ''
  const pool = chosen ?? pools[0]?.name
  const [before, after] = [from, to].map((id) => releases.find((each) => each.id === id))
  const choices = releases.map(({ id, subject }) => ({ id, label: [id, subject].filter(Boolean).join(' · ') }))
  return (
    <Page
      title={words.title}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: app, to: path('apps', app) },
        { label: text.app.releases, to: path('apps', app, '-', 'releases') },
      ]}
    >
      <Section>
        <div className="compare-choice">
          <Choice label={words.from} value={from} choices={choices} onChange={setFrom} />
          <Choice label={words.to} value={to} choices={choices} onChange={setTo} />
          <Choice
            label={words.pool}
            value={pool ?? ''}
            choices={pools.map(({ name }) => ({ id: name, label: name }))}
            onChange={setPool}
          />
        </div>
      </Section>
      {before !== undefined && after !== undefined && <Sides before={before} after={after} />}
      {from !== '' && to !== '' && pool !== undefined && (
        <Difference key={`${from} ${to}`} {...{ app, from, to, pool }} />
      )}
    </Page>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly choices: readonly { readonly id: string; readonly label: string }[]
  readonly onChange: (value: string) => void
}

const Choice = ({ label, value, choices, onChange }: ChoiceProps) => (
  <Field label={label}>
    <select value={value} onChange={(event) => onChange(event.target.value)}>
      {choices.map((each) => (
        <option key={each.id} value={each.id}>
          {each.label}
        </option>
      ))}
    </select>
  </Field>
)

function Sides({ before, after }: { readonly before: ReleaseView; readonly after: ReleaseView }) {
  const text = useText()
  const { release: words } = text
  const rows: readonly (readonly [string, (of: ReleaseView) => ReactNode, boolean])[] = [
    [text.instance.release, ({ app, id }) => <ReleaseLink app={app} release={id} />, false],
    [
      words.commit,
      ({ commit, subject }) => (
        <>
          {commit !== undefined && <Code short={8}>{commit}</Code>} {subject}
        </>
      ),
      before.commit !== after.commit,
    ],
    [words.author, ({ author }) => author?.replace(/ <.*/, '') ?? '–', before.author !== after.author],
    [words.image, ({ image }) => <Code short={28}>{image}</Code>, before.image !== after.image],
    [
      words.made,
      ({ createdAt, createdBy }) => (
        <>
          <Age at={createdAt} /> <span className="muted">{personOf(createdBy)}</span>
        </>
      ),
      false,
    ],
    [words.tests, ({ tests }) => tests?.state ?? '–', before.tests?.state !== after.tests?.state],
    [words.runningIn, ({ runningIn }) => runningIn.join(', ') || words.nowhere, false],
  ]
  return (
    <Section>
      <div className="compare-sides">
        {rows.map(([what, cell, differs]) => (
          <Row key={what} what={what} differs={differs} cells={[cell(before), cell(after)]} />
        ))}
      </div>
    </Section>
  )
}

interface RowProps {
  readonly what: string
  readonly differs: boolean
  readonly cells: readonly [ReactNode, ReactNode]
}

const Row = ({ what, differs, cells: [before, after] }: RowProps) => (
  <>
    <span className="compare-what muted small">{what}</span>
    <span>{before}</span>
    <span className={differs ? 'compare-differs' : ''}>{after}</span>
  </>
)

interface DifferenceProps {
  readonly app: string
  readonly from: string
  readonly to: string
  readonly pool: string
}

function Difference({ app, from, to, pool }: DifferenceProps) {
  const words = compareWords(useLanguage().language)
  const { value: diff } = useOne('getReleaseDiff', { params: { app, release: to }, query: { pool, from } })
  if (diff === undefined) return <Skeleton />
  const { changes } = diff
  const env = changes.filter(({ path: at }) => isOfEnv(at))
  const sizes = changes.filter(({ path: at }) => isOfSize(at))
  const others = changes.filter((each) => !env.includes(each) && !sizes.includes(each))
  return (
    <>
      <Section title={words.commits}>
        <CommitList diff={diff} />
      </Section>
      <Changes title={words.env} changes={env} />
      <Changes title={words.sizes} changes={sizes} />
      <Changes title={words.rest} changes={others} />
      <p className="muted">{changes.length === 0 ? words.same : words.elseSame}</p>
    </>
  )
}

const isOfEnv = (at: string): boolean => /(^|\.)(env|secrets)(\.|$)/.test(at)
const isOfSize = (at: string): boolean => /(^|\.)(cpu|memory|replicas|resources|network|disk)(\.|$)/.test(at)

interface ChangesProps {
  readonly title: string
  readonly changes: ReleaseDiffView['changes']
}

const Changes = ({ title, changes }: ChangesProps) =>
  changes.length === 0 ? null : (
    <Section title={title}>
      <Diff changes={changes} />
    </Section>
  )
