/** Where in the document: `['entrypoints', 'web', 'ports', 0]`. */
export type SpecPath = readonly (string | number)[]

export interface SpecIssue {
  readonly path: SpecPath
  readonly message: string
  /** What to write instead, or what to do. */
  readonly suggestion?: string
  /** True: the key at `path` is wrong, not its value. */
  readonly atKey?: boolean
  /** Parts of the document that the verdict rests on: with a mistake in one of them it is not reported. */
  readonly dependsOn?: readonly SpecPath[]
}

/** A text read as a quantity, a name …, or why it could not be. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly suggestion?: string }

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value })

export const refused = (message: string, suggestion?: string): Parsed<never> =>
  suggestion === undefined ? { ok: false, message } : { ok: false, message, suggestion }

/** Collects every mistake of a document while it is read. */
export class IssueList {
  readonly #issues: SpecIssue[] = []

  add(path: SpecPath, message: string, more: Omit<SpecIssue, 'path' | 'message'> = {}): void {
    this.#issues.push({ path, message, ...more })
  }

  /** The value, or undefined with the mistake noted. */
  take<T>(path: SpecPath, result: Parsed<T>): T | undefined {
    if (result.ok) return result.value
    this.add(path, result.message, result.suggestion === undefined ? {} : { suggestion: result.suggestion })
    return undefined
  }

  /**
   * All mistakes but those that only follow from another one, here or at the `broken` paths (parts of the document that were not of
   * the right shape and were left out): a port with a typo must not also be reported as missing from a route.
   */
  independent(broken: readonly SpecPath[] = []): SpecIssue[] {
    const own = this.#issues.filter(({ dependsOn, atKey }) => dependsOn === undefined && atKey !== true)
    const causes = [...broken, ...own.map(({ path }) => path)]
    return this.#issues.filter(({ path, dependsOn = [] }) => {
      if (broken.some((cause) => cause.length <= path.length && related(cause, path))) return false
      return !dependsOn.some((part) => causes.some((cause) => related(part, cause)))
    })
  }
}

/** One path is the other, or leads to it. */
function related(a: SpecPath, b: SpecPath): boolean {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) if (a[index] !== b[index]) return false
  return true
}

/** `entrypoints.web.ports[0]`, `entrypoints.web.sysctls["net.core.somaxconn"]`; empty for the document itself. */
export function formatPath(path: SpecPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += `[${JSON.stringify(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
