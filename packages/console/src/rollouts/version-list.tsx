import type { PoolView, ReleaseView } from '@berth/api/app-resources'
import { type FormEvent, useState } from 'react'
import { Age } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { By, Code, Field } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { testState } from '../live/states.ts'
import { newestFirst } from '../pages/release-table.tsx'
import { beginWords } from './begin-words.ts'

const mostShown = 6

interface VersionListProps {
  readonly pool: PoolView
  readonly releases: readonly ReleaseView[]
  readonly release: string
  readonly commit: string
  readonly onRelease: (release: string) => void
  readonly onCommit: (commit: string) => void
}

/** Candidates, the newest first, each with its commit and what became of its tests; or a commit that is still to be built. */
export function VersionList({ pool, releases, release, commit, onRelease, onCommit }: VersionListProps) {
  const words = beginWords(useLanguage().language)
  const all = newestFirst(releases)
  const first = all.slice(0, mostShown)
  const older = all.slice(mostShown)
  const row = (each: ReleaseView) => (
    <Version key={each.id} of={each} pool={pool} chosen={each.id === release} onChoose={() => onRelease(each.id)} />
  )
  return (
    <div className="versions-choice" role="radiogroup" aria-label={words.version}>
      {first.map(row)}
      {older.length > 0 && (
        <details open={older.some(({ id }) => id === release)}>
          <summary>
            {words.older} ({older.length})
          </summary>
          {older.map(row)}
        </details>
      )}
      <OtherCommit commit={commit} onCommit={onCommit} />
    </div>
  )
}

interface VersionProps {
  readonly of: ReleaseView
  readonly pool: PoolView
  readonly chosen: boolean
  readonly onChoose: () => void
}

function Version({
  of: { id, commit, subject, tests, createdAt, createdBy, served },
  pool,
  chosen,
  onChoose,
}: VersionProps) {
  const words = beginWords(useLanguage().language)
  const servedHere = served.find((each) => each.pool === pool.name)
  return (
    <label className="version-choice">
      <input type="radio" name="version" checked={chosen} onChange={onChoose} />
      <strong className="release">{id}</strong>
      <span className="version-subject">
        {commit !== undefined && <Code short={8}>{commit}</Code>} {subject}
      </span>
      {tests !== undefined && <Status shown={testState(tests.state)} />}
      {id === pool.release && <span className="chip chip-ok">{words.running}</span>}
      {id !== pool.release && servedHere !== undefined && (
        <span className="chip">
          {words.served} <Age at={servedHere.at} />
        </span>
      )}
      <span className="muted small version-made">
        <Age at={createdAt} /> <By who={createdBy} />
      </span>
    </label>
  )
}

function OtherCommit({ commit, onCommit }: { readonly commit: string; readonly onCommit: (commit: string) => void }) {
  const words = beginWords(useLanguage().language)
  const [draft, setDraft] = useState(commit)
  const take = (event: FormEvent) => {
    event.preventDefault()
    if (draft.trim() !== '') onCommit(draft.trim())
  }
  return (
    <form className="other-commit" onSubmit={take}>
      <Field label={words.commit} hint={words.commitHint}>
        <input
          className="mono"
          spellCheck={false}
          autoComplete="off"
          placeholder="main"
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
      </Field>
      <Button type="submit" disabled={draft.trim() === '' || draft.trim() === commit}>
        {words.take}
      </Button>
    </form>
  )
}
