import type { ReleaseView } from '@berth/api/app-resources'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { Section } from '../components/layout.tsx'
import { Code } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useOne } from '../live/use-one.ts'

/** Commits and settings that the release would change where another runs. */
export function ReleaseChanges({
  release,
  pools,
}: {
  readonly release: ReleaseView
  readonly pools: readonly string[]
}) {
  const { pipeline: text, release: words } = useText()
  const [chosen, setChosen] = useState<string>()
  const pool = chosen ?? pools.find((each) => !release.runningIn.includes(each)) ?? pools[0]
  const { app, id } = release
  const input = pool === undefined ? undefined : { params: { app, release: id }, query: { pool } }
  const { value: diff } = useOne('getReleaseDiff', input)
  if (pool === undefined) return null
  return (
    <Section
      title={words.changes}
      aside={
        <select aria-label={text.environment} value={pool} onChange={(event) => setChosen(event.target.value)}>
          {pools.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      }
    >
      {diff === undefined ? (
        <Skeleton />
      ) : (
        <>
          <p>
            {diff.from ?? words.nowhere} → {diff.to}
            {diff.problem !== undefined && <span className="muted"> · {diff.problem}</span>}
          </p>
          <ul className="plain-list">
            {[...diff.added, ...diff.removed].map((commit, index) => (
              <li key={commit.commit} className="commit">
                {index < diff.added.length ? '+' : '−'} <Code short={8}>{commit.commit}</Code>
                <span className="subject">{commit.subject}</span>
                <span className="muted nowrap">
                  {commit.author.replace(/ <.*/, '')} · <Age at={commit.at} />
                </span>
              </li>
            ))}
          </ul>
          {diff.more && <p className="muted">…</p>}
          {diff.changes.length > 0 && (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keyboards must reach it
            <pre className="spec" tabIndex={0}>
              {diff.changes.map(changeLine).join('\n')}
            </pre>
          )}
        </>
      )}
    </Section>
  )
}

function changeLine({
  op,
  path,
  before,
  after,
}: {
  op: string
  path: string
  before?: unknown
  after?: unknown
}): string {
  const [was, is] = [before, after].map((value) => JSON.stringify(value))
  return `${op} ${path}: ${op === '~' ? `${was} → ${is}` : op === '+' ? is : was}`
}
