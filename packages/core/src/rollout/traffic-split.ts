import type { AppSpec, Rollout } from '../model/index.ts'
import { shareNow } from './grow-traffic.ts'
import { isOpen } from './stage-hooks.ts'
import { openStage } from './stage-under-way.ts'

/** How a pool's requests are shared between its two releases while a stage lasts. */
export interface TrafficSplit {
  /** Of the new one. */
  readonly generation: number
  /** Thousandths of the requests that go there. */
  readonly share: number
  /** `arriving`: no more goes there than its instances are a part of all, as long as they are fewer than the old ones; `leaving`: nothing once the old ones are enough. */
  readonly phase: 'arriving' | 'there' | 'leaving'
}

/**
 * undefined: each instance gets as much as any other. On the way back what the stage had said holds on, so that those that leave get no
 * more than they had.
 */
export function trafficSplit(rollout: Rollout | undefined, spec: AppSpec | undefined): TrafficSplit | undefined {
  if (rollout?.stages === undefined || rollout.endedAt !== undefined) return undefined
  const back = rollout.state === 'rolling-back'
  const begun = rollout.stages.findLastIndex((stage) => stage.startedAt !== undefined && isOpen(stage))
  const index = back ? begun : openStage(rollout)
  if (index === undefined || index < 0) return undefined
  const [stage, staged] = [spec?.rollout.stages?.[index], rollout.stages[index]]
  const share = stage === undefined || staged === undefined ? undefined : shareNow(stage, staged)
  if (share === undefined) return undefined
  const there = staged?.readyAt !== undefined
  return { generation: rollout.toGeneration, share, phase: back ? 'leaving' : there ? 'there' : 'arriving' }
}
