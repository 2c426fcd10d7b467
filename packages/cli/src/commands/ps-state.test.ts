import type { InstanceView } from '@berth/api'
import { expect, it } from 'vitest'
import { createStyle } from '../output/style.ts'
import { stateText } from './ps.ts'

const instance: InstanceView = {
  ...{ id: 'shop.production.web-1', name: 'web-1', app: 'shop', pool: 'production', entrypoint: 'web', release: 'v1' },
  ...{ generation: 1, type: 'service', desired: 'run', createdAt: 1, createdBy: 'local:0', phase: 'running' },
  ...{ restarts: 0, ready: true, inTraffic: true, cpuMilli: 100, memoryBytes: 1, group: 'default', node: 'a' },
}

it.each<[string, Partial<InstanceView>]>([
  ['ready', { readyAt: 2 }],
  ['starting', { ready: false }],
  // Its probe fails, or nobody hears its node.
  ['not ready', { ready: false, readyAt: 2 }],
  ['starting', { ready: false, readyAt: 2, phase: 'assigned' }],
  ['exited (3)', { ready: false, readyAt: 2, lastExit: { code: 3, outOfMemory: false, at: 3 } }],
  ['draining', { ready: false, readyAt: 2, desired: 'drain' }],
])('%s: %j', (text, change) => {
  expect(stateText({ ...instance, ...change }, createStyle(false))).toBe(text)
})
