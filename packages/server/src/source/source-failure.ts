import { BerthError } from '@berth/core'
import { oneLine } from './source-store.ts'

/** What a client program said, read as one of our errors. First match wins. */
type FailureRule = readonly [pattern: RegExp, code: FailureCode]
type FailureCode = 'source.repository-not-found' | 'source.unreachable' | 'source.auth-required'

const gitRules: readonly FailureRule[] = [
  [/could not read (Username|Password)|Authentication failed|terminal prompts disabled/i, 'source.auth-required'],
  [
    /Permission denied \(|Host key verification failed|The requested URL returned error: 40[13]/i,
    'source.auth-required',
  ],
  [/Access denied|invalid credentials|HTTP Basic/i, 'source.auth-required'],
  [/Could not resolve|Failed to connect|Connection (refused|timed out|reset)|No route to host/i, 'source.unreachable'],
  [
    /Network is unreachable|Operation timed out|Operation too slow|early EOF|unexpected disconnect/i,
    'source.unreachable',
  ],
  [/unable to connect|Temporary failure in name resolution|Name or service not known/i, 'source.unreachable'],
  [/returned error: 5\d\d|SSL|TLS|certificate|the remote end hung up/i, 'source.unreachable'],
  [
    /not found|does not exist|does not appear to be a git repository|not a git repository/i,
    'source.repository-not-found',
  ],
  [/No such file or directory|is not a bundle|not exported/i, 'source.repository-not-found'],
]

const svnRules: readonly FailureRule[] = [
  [/E170001|E215004|E170013: .*(authoriz|forbidden)|E175013|Permission denied \(/i, 'source.auth-required'],
  [/E170013: Unable to connect.*file:|E180001|E170000: URL .* non-existent/is, 'source.repository-not-found'],
  [/E670002|E670008|E000111|E000110|E000113|E000101|E730061|E170013|E120108|E175012|E230001/i, 'source.unreachable'],
  [/E160013|E200009|E170000|W170000|E175011|E205011/i, 'source.repository-not-found'],
]

const advice: Readonly<Record<FailureCode, string>> = {
  'source.repository-not-found': 'check its address, and that it exists on the server’s machine if it is a path',
  'source.unreachable': 'check the network between the server and it, then try again',
  'source.auth-required':
    'give the server an ssh key that may read it, or put a user and a read-only token into its URL',
}

/** `what` was being attempted: `fetch https://example.com/shop.git`. Both texts must be free of secrets. */
export function sourceFailure(vcs: 'git' | 'svn', what: string, said: string): BerthError {
  const rule = (vcs === 'git' ? gitRules : svnRules).find(([pattern]) => pattern.test(said))
  const reason = lastWords(said)
  if (rule === undefined) return new BerthError('source.failed', `${what}: ${reason}`)
  const [, code] = rule
  const retryable = code === 'source.unreachable'
  return new BerthError(code, `${what}: ${reason}; ${advice[code]}`, { retryable })
}

export const sourceTimeout = (what: string, timeoutMs: number): BerthError =>
  new BerthError('source.timeout', `${what}: no end after ${Math.round(timeoutMs / 1000)} s; it was stopped`, {
    retryable: true,
  })

const noise =
  /Could not read from remote repository|Please make sure you have the correct access|and the repository exists/i

/** Programs put their reason on the last lines that say `fatal:`, `error:` or `svn: E…`. */
function lastWords(said: string): string {
  const lines = said.split(/[\r\n]+/).filter((line) => line.trim() !== '' && !noise.test(line))
  const telling = lines.filter((line) => /^(fatal|error|remote|ssh|svn|.*\bE\d{6})\b/i.test(line))
  const reason = telling.length === 0 ? lines.slice(-1) : telling.slice(0, 2)
  return (
    oneLine(reason.map((line) => line.replace(/^(fatal|error|svn): /i, '')).join('; '), 400) ||
    'it failed and said nothing'
  )
}
