/** A repository's files, as far as they are asked for. Paths are relative to its root and use `/`. */
export interface SourceFiles {
  /** undefined when there is no such file (or it is no text). */
  read(path: string): string | undefined
  /** Names of files and folders in a folder; `''` is the root, a folder that is not there is empty. */
  list(folder: string): readonly string[]
}

export const has = (files: SourceFiles, path: string): boolean => files.read(path) !== undefined

/** Those of the paths that exist. */
export const existing = (files: SourceFiles, ...paths: readonly string[]): string[] =>
  paths.filter((path) => has(files, path))

/** A JSON object, or undefined when there is none or it cannot be read. */
export function readJson(files: SourceFiles, path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(files.read(path) ?? 'null')
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The first path of a health check that the source mentions. */
export function findHealthPath(source: string): string | undefined {
  return /["'`](\/(?:api\/)?(?:healthz?|livez|readyz|health-?check|_health|up|ping))["'`]/.exec(source)?.[1]
}
