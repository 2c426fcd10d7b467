import { type Parsed, parsed, refused } from './spec-issue.ts'

/** A path inside a container or on a node, without `.` and `..`, doubled or trailing slashes. */
export function parseAbsolutePath(text: string): Parsed<string> {
  if (text.includes('\0')) return refused('a path cannot hold a zero byte')
  if (!text.startsWith('/')) {
    const proposal = `/${text.replace(/^(\.{1,2}\/)+/, '')}`
    return refused(`the path ${JSON.stringify(text)} is not absolute`, `write ${proposal}`)
  }
  const steps = text.split('/').filter((step) => step !== '')
  if (steps.includes('..') || steps.includes('.')) {
    return refused(
      `the path ${JSON.stringify(text)} holds ${steps.includes('..') ? '".."' : '"."'}: write where it leads`,
    )
  }
  return parsed(`/${steps.join('/')}`)
}

/** What is mounted by Berth, or must stay the container's own: nothing may be mounted at or below it. */
const reserved: readonly (readonly [string, string])[] = [
  ['/run/secrets', 'holds the secrets'],
  ['/persist', 'is kept by Berth for each instance'],
  ['/etc/resolv.conf', 'names Berth’s name server'],
  ['/proc', 'belongs to the kernel'],
  ['/sys', 'belongs to the kernel'],
]

/** A place in the container where the user's files or volumes may go. */
export function parseMountPath(text: string): Parsed<string> {
  const path = parseAbsolutePath(text)
  if (!path.ok) return path
  if (path.value === '/') return refused('nothing can be mounted over the whole image (`/`)')
  for (const [taken, why] of reserved) {
    if (path.value === taken || path.value.startsWith(`${taken}/`)) {
      return refused(`nothing can be mounted at ${path.value}: ${taken} ${why}`)
    }
  }
  return path
}
