import type { StageHookSpec } from '../model/stage-spec.ts'
import { specDefaults } from './defaults.ts'
import { given, readDuration } from './read-values.ts'
import type { HookDocument, StageDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Every runtime has it; this package is compiled with what the language itself has. */
declare const URL: {
  canParse(text: string): boolean
  new (text: string): Readonly<Record<'protocol' | 'username' | 'password' | 'hash' | 'href', string>>
}

/** Each is kept in the rollout's record, with what it said. */
const mostHooks = 4
const mostUrlLength = 1000
const bounds = { min: 1000, max: 3_600_000 }

export function canonicalHooks(
  issues: IssueList,
  at: SpecPath,
  hooks: StageDocument['before'],
): readonly StageHookSpec[] {
  if ((hooks?.length ?? 0) > mostHooks) issues.add(at, `${hooks?.length} hooks are too many: at most ${mostHooks}`)
  return [...given(hooks)].flatMap(([index, each]) => canonicalHook(issues, [...at, index], each) ?? [])
}

function canonicalHook(issues: IssueList, at: SpecPath, document: HookDocument): StageHookSpec | undefined {
  const { job, url, timeout, onFailure = 'hold' } = document
  if ((job === undefined) === (url === undefined)) {
    const message = job === undefined ? 'the hook does nothing' : '`job` and `url` are two hooks'
    const suggestion = job === undefined ? 'write `job` or `url`' : 'write each as an item of its own'
    issues.add(at, message, { suggestion })
    return undefined
  }
  const { jobTimeoutMs, urlTimeoutMs } = specDefaults.hook
  const usual = job === undefined ? urlTimeoutMs : jobTimeoutMs
  const timeoutMs: number = readDuration(issues, [...at, 'timeout'], timeout, usual, bounds)
  // Whether there is one is looked at with all entrypoints at hand.
  if (job !== undefined) return { type: 'job', job, timeoutMs, onFailure }
  const read = readUrl(issues, [...at, 'url'], url ?? '')
  return read === undefined ? undefined : { type: 'url', url: read, timeoutMs, onFailure }
}

/** Anybody who sees the app sees it too. */
function readUrl(issues: IssueList, at: SpecPath, text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    issues.add(at, `"${text.slice(0, 200)}" is not a URL`, { suggestion: 'write one such as https://ci.example/berth' })
  else if (url.username !== '' || url.password !== '')
    issues.add(at, 'the URL holds a password', {
      suggestion: 'leave it out; what is posted is signed with the secret of the hook that an admin allows',
    })
  else if (url.hash !== '') issues.add(at, 'a URL without # is needed', { suggestion: 'leave it out' })
  else if (text.length > mostUrlLength)
    issues.add(at, `the URL is ${text.length} characters long: at most ${mostUrlLength}`)
  else return url.href
  return undefined
}
