export type PathParams = Readonly<Record<string, string>>

/** `/apps/:app/:pool?` against `/apps/shop`; segments are decoded. undefined when it does not fit. */
export function matchPath(pattern: string, path: string): PathParams | undefined {
  const wanted = segmentsOf(pattern)
  const given = segmentsOf(path)
  if (given.length > wanted.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, segment] of wanted.entries()) {
    const value = given[index]
    const optional = segment.endsWith('?')
    if (value === undefined) {
      if (optional) continue
      return undefined
    }
    if (!segment.startsWith(':')) {
      if (segment !== value) return undefined
      continue
    }
    const decoded = decode(value)
    if (decoded === undefined) return undefined
    params[segment.slice(1, optional ? -1 : undefined)] = decoded
  }
  return params
}

/** `path('apps', 'a b')` is `/apps/a%20b`. */
export const path = (...segments: readonly string[]): string => `/${segments.map(encodeURIComponent).join('/')}`

const segmentsOf = (text: string): string[] => text.split('/').filter((segment) => segment !== '')

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
