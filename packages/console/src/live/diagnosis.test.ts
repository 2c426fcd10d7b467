import type { InstanceView } from '@berth/api/instance-resources'
import { describe, expect, it } from 'vitest'
import { diagnose, worstFirst } from './diagnosis.ts'

const instance = (change: Partial<InstanceView> = {}): InstanceView => ({
  id: 'shop.production.web-1',
  name: 'web-1',
  app: 'shop',
  pool: 'production',
  entrypoint: 'web',
  release: 'v2',
  generation: 1,
  type: 'service',
  node: 'a',
  phase: 'running',
  desired: 'run',
  ready: true,
  inTraffic: true,
  restarts: 0,
  createdAt: 1,
  createdBy: 'system:pools',
  ...change,
})

const exit = (code: number, outOfMemory = false) => ({ code, outOfMemory, at: 1 })

describe('the diagnosis of an instance', () => {
  it.each<[string, Partial<InstanceView>, string | undefined]>([
    ['well', {}, undefined],
    ['well again after a restart', { restarts: 3, lastExit: exit(1) }, undefined],
    ['only starting', { ready: false }, undefined],
    ['on its way out', { ready: false, desired: 'drain', lastExit: exit(1), restarts: 4 }, undefined],
    ['no node', { phase: 'pending', node: undefined as never, message: 'too little CPU' }, 'noPlace'],
    ['waiting for a node only now', { phase: 'pending' }, undefined],
    [
      'node gone',
      { ready: false, message: 'node a is offline; what it said last may not hold any more' },
      'nodeOffline',
    ],
    ['out of memory again and again', { ready: false, restarts: 4, lastExit: exit(137, true) }, 'outOfMemory'],
    ['a crash', { ready: false, restarts: 1, lastExit: exit(1) }, 'failed'],
    ['crashes', { ready: false, restarts: 2, lastExit: exit(1) }, 'crashLoop'],
    ['cannot start', { phase: 'assigned', ready: false, message: 'pull image: no such host' }, 'cannotStart'],
    ['failing probe', { ready: false, message: 'GET /healthz answered 503' }, 'notReady'],
    [
      'in maintenance by its own word',
      { ready: false, message: 'it says that it is in maintenance: reindexing' },
      'inMaintenance',
    ],
    ['not ready by its own word', { ready: false, message: 'it says that it is not ready' }, 'saysNotReady'],
    [
      'silent at its socket',
      { ready: false, message: 'it has not said at its socket yet that it is ready' },
      'saysNotReady',
    ],
    ['was ready before', { ready: false, readyAt: 5 }, 'notReady'],
    ['a job that runs', { type: 'job', ready: false }, undefined],
    ['a job that ended well', { type: 'job', phase: 'ended', ready: false, lastExit: exit(0) }, undefined],
    ['a job that failed', { type: 'job', phase: 'ended', ready: false, lastExit: exit(2) }, 'failed'],
    [
      'a job that was stopped',
      { type: 'job', phase: 'ended', desired: 'stop', ready: false, lastExit: exit(143) },
      undefined,
    ],
    ['a job that never ran', { type: 'job', phase: 'ended', ready: false, message: 'no image' }, 'neverRan'],
  ])('%s', (_, change, problem) => expect(diagnose(instance(change))?.problem).toBe(problem))

  it('leaves out the id that messages begin with', () => {
    const wrong = instance({
      ready: false,
      restarts: 1,
      lastExit: exit(1),
      message: 'shop.production.web-1 exited with code 1',
    })
    expect(diagnose(wrong)?.detail).toBe('exited with code 1')
  })

  it('puts what is wrong first, the rest by name', () => {
    const all = [
      instance({ id: 'shop.production.web-10' }),
      instance({ id: 'shop.production.web-2' }),
      instance({ id: 'shop.production.web-3', phase: 'pending' }),
      instance({ id: 'shop.production.web-4', ready: false, restarts: 5, lastExit: exit(1) }),
    ]
    expect(worstFirst(all).map(({ id }) => id.split('-').at(-1))).toEqual(['4', '3', '2', '10'])
  })
})
