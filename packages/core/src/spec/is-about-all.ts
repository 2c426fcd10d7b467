import type { StageSpec } from '../model/stage-spec.ts'

/** With it everything is new. */
export const isAboutAll = ({ instances, sites, entrypoints }: StageSpec): boolean =>
  instances === undefined && sites === undefined && entrypoints === undefined
