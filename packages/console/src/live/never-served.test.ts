import type { RolloutView } from '@berth/api/deploy-resources'
import { expect, it } from 'vitest'
import { neverServed } from './never-served.ts'

const rollout = (to: string, state: RolloutView['state'], from?: string) => ({ to, state, from }) as RolloutView

it('is what no rollout brought to its end, and none began from', () => {
  const rollouts = [
    rollout('v5', 'succeeded', 'v3'),
    rollout('v4', 'rolled-back', 'v3'),
    rollout('v3', 'succeeded', 'v1'),
    rollout('v2', 'aborted', 'v1'),
    rollout('v2', 'rolled-back', 'v1'),
  ]
  expect([...neverServed(rollouts)].sort()).toEqual(['v2', 'v4'])
})

it('is not what failed at first and served later, nor what is older than all that is known', () => {
  expect(neverServed([rollout('v2', 'succeeded', 'v1'), rollout('v2', 'rolled-back', 'v1')])).toEqual(new Set())
})
