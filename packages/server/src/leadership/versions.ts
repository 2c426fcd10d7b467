/** Of one major version, and at most one minor version apart. What is no version number is not judged. */
export function areVersionsCompatible(a: string, b: string): boolean {
  const [one, other] = [parse(a), parse(b)]
  if (one === undefined || other === undefined) return true
  return one.major === other.major && Math.abs(one.minor - other.minor) <= 1
}

function parse(version: string): { readonly major: number; readonly minor: number } | undefined {
  const found = /^v?(\d+)\.(\d+)(\.|$)/.exec(version)
  return found === null ? undefined : { major: Number(found[1]), minor: Number(found[2]) }
}
