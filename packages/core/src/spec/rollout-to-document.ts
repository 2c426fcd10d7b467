import type { RolloutSpec } from '../model/app-spec.ts'
import type { InstanceShare } from '../model/instance-share.ts'
import type { GateSpec, MeasuredGate, StageHookSpec, StageSpec } from '../model/stage-spec.ts'
import { formatDuration, formatShare as formatThousandths } from './quantities.ts'
import type { EnvironmentRolloutDocument, GateDocument, HookDocument, StageDocument } from './spec-document.ts'

/** What is said of it, as a user would write it; all but the jobs before. */
export function rolloutToDocument(rollout: Partial<RolloutSpec>): EnvironmentRolloutDocument {
  const { surge, unavailable, settleMs, imageTimeoutMs, stages, approvals, recreate } = rollout
  return {
    ...(surge === undefined ? {} : { surge: formatShare(surge) }),
    ...(unavailable === undefined ? {} : { unavailable: formatShare(unavailable) }),
    ...(settleMs === undefined ? {} : { settle: formatDuration(settleMs) }),
    ...(imageTimeoutMs === undefined ? {} : { imageTimeout: formatDuration(imageTimeoutMs) }),
    ...(stages === undefined ? {} : { stages: stages.map(stageToDocument) }),
    ...(approvals === undefined ? {} : { approvals }),
    ...(recreate === true ? { strategy: 'recreate' as const } : {}),
  }
}

export const formatShare = (share: InstanceShare): number | string =>
  typeof share === 'number' ? share : `${share.percent}%`

const stageToDocument = ({ name, instances, traffic, beside, gates, ...rest }: StageSpec): StageDocument => ({
  name,
  ...(instances === undefined ? {} : { instances: formatShare(instances) }),
  ...(traffic === undefined ? {} : { traffic: trafficToDocument(traffic, rest.grow) }),
  ...(beside === true ? { beside } : {}),
  ...(rest.sites === undefined ? {} : { sites: rest.sites }),
  ...(rest.entrypoints === undefined ? {} : { entrypoints: rest.entrypoints }),
  gates: gates.map(gateToDocument),
  ...(rest.before === undefined ? {} : { before: rest.before.map(hookToDocument) }),
  ...(rest.after === undefined ? {} : { after: rest.after.map(hookToDocument) }),
})

function trafficToDocument(traffic: number, grow: StageSpec['grow']): StageDocument['traffic'] {
  const part = (share: number): string => (share === 0 ? '0%' : formatThousandths(share))
  return grow === undefined
    ? part(traffic)
    : { from: part(grow.from), to: part(traffic), over: formatDuration(grow.overMs) }
}

const hookToDocument = (hook: StageHookSpec): HookDocument => ({
  ...(hook.type === 'job' ? { job: hook.job } : { url: hook.url }),
  ...{ timeout: formatDuration(hook.timeoutMs), onFailure: hook.onFailure },
})

function gateToDocument(gate: GateSpec): string | GateDocument {
  switch (gate.type) {
    case 'person':
      return 'person'
    case 'job':
      return { job: gate.job }
    case 'health':
      return { health: formatDuration(gate.forMs) }
    case 'errors':
      return {
        errors: gate.most === 0 ? '0%' : formatThousandths(gate.most),
        requests: gate.requests,
        ...measuredToDocument(gate),
      }
    case 'latency':
      return {
        [gate.quantile]: formatDuration(gate.mostMs),
        requests: gate.requests,
        ...measuredToDocument(gate),
      }
    case 'lost':
      return { lost: gate.most, requests: gate.requests, ...measuredToDocument(gate) }
    case 'query':
      return {
        query: gate.query,
        ...(gate.below === undefined ? {} : { below: String(gate.below) }),
        ...(gate.above === undefined ? {} : { above: String(gate.above) }),
        ...measuredToDocument(gate),
      }
  }
}

const measuredToDocument = ({ overMs, onNoData }: MeasuredGate): Pick<GateDocument, 'over' | 'onNoData'> => ({
  over: formatDuration(overMs),
  onNoData,
})
