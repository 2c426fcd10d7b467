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

/** A mistake as an error's details and views carry it; its path is a text. */
export interface DocumentProblem extends Pick<SpecIssue, 'message' | 'suggestion'> {
  readonly path: string
}

export const problemOf = ({ path, message, suggestion }: SpecIssue): DocumentProblem => ({
  ...{ path: formatPath(path), message },
  ...(suggestion === undefined ? {} : { suggestion }),
})

/** The first ones, in one line. */
export const problemsText = (problems: readonly DocumentProblem[]): string =>
  problems
    .slice(0, 10)
    .map(({ path, message, suggestion = '' }) => [path, message, suggestion].filter((part) => part !== '').join(': '))
    .join('; ')

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
    const causes = new PathSet([...broken, ...own.map(({ path }) => path)])
    const leftOut = new PathSet(broken)
    return this.#issues.filter(
      ({ path, dependsOn = [] }) => !leftOut.covers(path) && !dependsOn.some((part) => causes.touches(part)),
    )
  }
}

/** Paths, to be asked about without going through all of them. */
class PathSet {
  readonly #paths = new Set<string>()
  readonly #prefixes = new Set<string>()

  constructor(paths: readonly SpecPath[]) {
    for (const path of paths) {
      this.#paths.add(JSON.stringify(path))
      for (let length = 0; length <= path.length; length += 1) this.#prefixes.add(JSON.stringify(path.slice(0, length)))
    }
  }

  /** One of the paths is this one, or leads to it. */
  covers(path: SpecPath): boolean {
    for (let length = 0; length <= path.length; length += 1) {
      if (this.#paths.has(JSON.stringify(path.slice(0, length)))) return true
    }
    return false
  }

  /** One of the paths covers this one, or is below it. */
  touches(path: SpecPath): boolean {
    return this.#prefixes.has(JSON.stringify(path)) || this.covers(path)
  }
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
