/**
 * What is spoken of, and the records of it in the store. One writer per record: the server writes all but `InstanceStatus` and
 * `NodeStatus`, whose content is the agent's report. Times are milliseconds since the epoch. `docs/design/records.md` lists keys,
 * writers and sizes.
 */

export * from './app.ts'
export * from './app-spec.ts'
export * from './assignment.ts'
export * from './berth-error.ts'
export * from './berth-event.ts'
export * from './build.ts'
export * from './cron-record.ts'
export * from './external-service.ts'
export * from './held-instance.ts'
export * from './image-limits.ts'
export * from './incarnation.ts'
export * from './instance.ts'
export * from './instance-phase.ts'
export * from './kept-address.ts'
export * from './names.ts'
export * from './node.ts'
export * from './node-config-record.ts'
export * from './node-group.ts'
export * from './own-domain.ts'
export * from './placement-spec.ts'
export * from './pool.ts'
export * from './rebalance.ts'
export * from './release.ts'
export * from './rollout.ts'
export * from './sizes.ts'
export * from './token.ts'
