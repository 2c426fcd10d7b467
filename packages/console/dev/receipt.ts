import type { ReceiptView, RolloutView } from '@berth/api/deploy-resources'

/** As a server that counts requests has it. */
export function receiptOf(rollout: RolloutView): ReceiptView {
  const { id, app, pool, reason, from, to, state, message, createdAt, endedAt, createdBy, stages = [] } = rollout
  return {
    ...{ rollout: id, app, pool, reason, to, state, message, createdAt, by: createdBy },
    ...(from === undefined ? {} : { from }),
    ...(endedAt === undefined ? {} : { endedAt }),
    tookMs: (endedAt ?? Date.now()) - createdAt,
    plan: { web: { before: 4, after: 4 } },
    stages: stages.map((each) => {
      const { startedAt, endedAt: until = Date.now() } = each
      return startedAt === undefined ? each : { ...each, tookMs: until - startedAt }
    }),
    pauses: [{ since: createdAt, until: createdAt + 20_000, reason: 'paused by token:mai' }],
    requests: {
      ...{ requests: 1240, errors: 2, lost: 0 },
      before: { requests: 900, p50Ms: 12, p99Ms: 80 },
      after: { requests: 310, p50Ms: 11, p99Ms: 71 },
    },
  }
}
