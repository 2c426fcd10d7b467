import type { InstanceView, RolloutView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { whyNotServed } from './listings.ts'
import { whyNotRunning } from './run.ts'

describe('why', () => {
  it('a release does not serve is told below the list', () => {
    const rollouts = [
      { id: 'r-3', to: 'v3', state: 'rolled-back', message: 'web-5 exited 3 times; v2 serves' },
      { id: 'r-2', to: 'v2', state: 'succeeded', message: 'v2 serves' },
    ] as RolloutView[]
    expect(whyNotServed(rollouts)).toEqual(['r-3 (v3): web-5 exited 3 times; v2 serves'])
  })

  it.each<[Partial<InstanceView>, string | undefined]>([
    [{ phase: 'pending', message: '1 node: 1 cordoned' }, 'beat-1 waits: 1 node: 1 cordoned'],
    [{ phase: 'assigned', node: 'a', message: 'no image' }, 'beat-1 does not run yet: no image'],
    [{ phase: 'running', node: 'a', message: 'x' }, undefined],
    [{ phase: 'stopping', node: 'a', message: 'exited with code 0', lastExit: { code: 0 } as never }, undefined],
    [{ phase: 'assigned', node: 'a', message: 'exited with code 0', lastExit: { code: 0 } as never }, undefined],
  ])('a job %j says %s', (job, why) => expect(whyNotRunning({ name: 'beat-1', ...job } as InstanceView)).toBe(why))
})
