import type { NameEntry } from '../model/assignment.ts'

export interface AppNames {
  /** The first is what the app's own name means. */
  readonly entrypoints: Set<string>
  readonly pools: Set<string>
  /** Ready instances by `<entrypoint>.<pool>` and, each alone, by `<entrypoint>-<n>.<pool>`. */
  readonly ready: Map<string, NameEntry[]>
  readonly readyOne: Map<string, NameEntry>
}
