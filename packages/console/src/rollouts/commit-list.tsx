import type { ReleaseDiffView } from '@berth/api/app-resources'
import { Age } from '../components/age.tsx'
import { Code } from '../components/small.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { compareWords } from './compare-words.ts'

/** Commits that come (+) and go (−) between two releases, newest first. */
export function CommitList({ diff: { added, removed, more, problem, sameImage } }: { readonly diff: ReleaseDiffView }) {
  const words = compareWords(useLanguage().language)
  const commits = [...added, ...removed]
  return (
    <>
      {sameImage && <p className="muted">{words.sameImage}</p>}
      {problem !== undefined && <p className="muted">{problem}</p>}
      {commits.length === 0 && problem === undefined && !sameImage && <p className="muted">{words.sameCommit}</p>}
      <ul className="plain-list">
        {commits.map((commit, index) => (
          <li key={commit.commit} className="commit">
            {index < added.length ? '+' : '−'} <Code short={8}>{commit.commit}</Code>
            <span className="subject">{commit.subject}</span>
            <span className="muted nowrap">
              {commit.author.replace(/ <.*/, '')} · <Age at={commit.at} />
            </span>
          </li>
        ))}
      </ul>
      {more && <p className="muted">…</p>}
    </>
  )
}
