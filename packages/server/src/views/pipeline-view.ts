import type { PipelineView } from '@berth/api'
import type { Pipeline, SeenRefs } from '@berth/core'
import { defined } from './view-context.ts'

export const hookPath = (app: string): string => `/hooks/${app}`

/** No secret, not even a sealed one. */
export function pipelineView(pipeline: Pipeline, seen: SeenRefs | undefined): PipelineView {
  const { app, branches, tags, deploy, environments, automatic, pollMs, version, updatedAt, updatedBy } = pipeline
  return {
    ...{ app, branches: [...branches], tags: [...tags], environments: [...environments], automatic: [...automatic] },
    ...defined({ deploy, pollMs, webhook: pipeline.sealed === undefined ? undefined : hookPath(app) }),
    ...(seen === undefined ? {} : { seen: { ...seen.refs }, seenAt: seen.changedAt }),
    ...{ version, updatedAt, updatedBy },
  }
}
