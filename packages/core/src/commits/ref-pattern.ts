/** `main`, `release/*`, `v*`, `**`: a star stands for any characters but `/`, two for any at all. */
const patternForm = /^[A-Za-z0-9._/@+#*-]{1,200}$/

export const isRefPattern = (text: string): boolean =>
  patternForm.test(text) && !/^[-/.]|\/$|\/\/|\.\.|\*{3}/.test(text) && !text.startsWith('refs/')

/** `name` is a branch or a tag without `refs/heads/`. Walks both texts once for each star, so it ends soon whatever is given. */
export function matchesRef(pattern: string, name: string): boolean {
  return matches(tokensOf(pattern), name)
}

type Token = { readonly text: string } | { readonly star: 'part' | 'any' }

const tokensOf = (pattern: string): Token[] =>
  pattern
    .split(/(\*{1,2})/)
    .filter((part) => part !== '')
    .map((part) => (part === '*' ? { star: 'part' } : part === '**' ? { star: 'any' } : { text: part }))

/** Positions of the name that the pattern so far can end at: at most as many as the name has characters. */
function matches(tokens: readonly Token[], name: string): boolean {
  let ends = new Set([0])
  for (const token of tokens) {
    const next = new Set<number>()
    for (const at of ends) {
      if ('text' in token) {
        if (name.startsWith(token.text, at)) next.add(at + token.text.length)
        continue
      }
      for (let end = at; end <= name.length; end += 1) {
        next.add(end)
        if (token.star === 'part' && name[end] === '/') break
      }
    }
    ends = next
  }
  return ends.has(name.length)
}

const prefixes = { branches: 'refs/heads/', tags: 'refs/tags/' } as const

/** Whether a pipeline builds pushes of this ref (`refs/heads/main`). */
export function isWatched(
  pipeline: { readonly branches: readonly string[]; readonly tags: readonly string[] },
  ref: string,
): boolean {
  return (['branches', 'tags'] as const).some(
    (kind) =>
      ref.startsWith(prefixes[kind]) &&
      pipeline[kind].some((pattern) => matchesRef(pattern, ref.slice(prefixes[kind].length))),
  )
}

/** `main` of `refs/heads/main`. */
export const refName = (ref: string): string => ref.replace(/^refs\/(heads|tags)\//, '')
