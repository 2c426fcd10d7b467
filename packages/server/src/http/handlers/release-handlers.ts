import type { MetricSourceView } from '@berth/api'
import type { MetricSourceRecord } from '../../records/index.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type ReleaseHandlers = Pick<Handlers, 'getPrometheus' | 'setPrometheus' | 'removePrometheus'>

/** What releases go by, beside their rollouts. */
export const releaseHandlers = ({ metricSources }: Services): ReleaseHandlers => ({
  getPrometheus: () => sourceView(metricSources.require()),
  setPrometheus: async ({ body, context }) => sourceView(await metricSources.set(body.url, context)),
  removePrometheus: async ({ context }) => {
    await metricSources.remove(context)
    return { ok: true }
  },
})

const sourceView = ({ url, updatedAt, updatedBy }: MetricSourceRecord): MetricSourceView => ({
  ...{ url, updatedAt, updatedBy },
})
