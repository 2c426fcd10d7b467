/** What is wrong with a host name that is to be looked up, in words that follow it; undefined when nothing is. */
export function hostNameProblem(name: string): string | undefined {
  if (name.length > 253) return 'is longer than 253 characters'
  if (name !== name.toLowerCase()) return 'must be in lower case'
  const label = name.split('.').find((part) => !/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(part))
  if (label === undefined) return undefined
  return `is no host name: ${JSON.stringify(label)} is no label of one (no dot at the end; international names in their xn-- form)`
}
