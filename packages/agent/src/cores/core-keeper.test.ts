import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CgroupTreeFiles, type TreeLayout } from './cgroup-tree.testing.ts'
import { CoreKeeper, type GrantedInstance } from './core-keeper.ts'

const mebibyte = 2 ** 20
let root: string
let moved: number
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keeper-'))
  moved = 0
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const instance = (name: string, change: Partial<GrantedInstance> = {}): GrantedInstance => ({
  instance: name,
  cpuMilli: 1300,
  memoryBytes: 256 * mebibyte,
  ...change,
})

function keeperOn(layout: TreeLayout, online = [0, 1, 2, 3]) {
  const tree = new CgroupTreeFiles(root, layout)
  const log = pino({ level: 'silent' })
  const onUnboundMoved = () => {
    moved += 1
  }
  const keeper = new CoreKeeper({ ...tree.roots, log, online: () => online, onUnboundMoved })
  return { tree, keeper }
}
const running = { containerId: 'c1', pid: 42 }

describe('instances without cores', () => {
  it('are moved when what nobody owns has changed, and only then', () => {
    const { keeper } = keeperOn('v1')
    const job = instance('job')
    keeper.setGrants([job])
    expect([keeper.grantOf(job).cpuset, moved]).toEqual(['', 0])
    keeper.setGrants([job, instance('web', { cores: '1,2:300' })])
    expect([keeper.grantOf(job).cpuset, moved]).toEqual(['0,3', 1])
    keeper.setGrants([job, instance('web', { cores: '1,2:500' })])
    expect(moved).toBe(1)
    keeper.setGrants([job])
    expect([keeper.grantOf(job).cpuset, moved]).toEqual(['', 2])
  })

  it('are told all cores by name, since an empty list changes nothing, and that is the same as none', () => {
    const { keeper } = keeperOn('v1')
    const free = keeper.grantOf(instance('job'))
    expect(keeper.explicit(free).cpuset).toBe('0-3')
    expect(keeper.shown(keeper.explicit(free))).toEqual(free)
  })
})

describe.each(['v1', 'v2-cgroupfs'] as const)('a container that runs (%s)', (layout) => {
  const owner = instance('web', { cores: '1', burst: 'quota', cpuMilli: 1000 })

  it('is set right where it has something else', () => {
    const { tree, keeper } = keeperOn(layout)
    keeper.setGrants([owner])
    if (layout !== 'v1') tree.set('cpuset.cpus.effective', '1\n')
    keeper.watch('web', running)
    expect(keeper.cgroupOf('web')?.settings()).toMatchObject({
      cpuset: '1',
      shares: 1024,
      quotaMilli: 1000,
      carryMilli: 1000,
    })
    expect(keeper.settleAll()).toEqual([])
    keeper.prepareUpdate('web')
    expect(keeper.cgroupOf('web')?.settings().carryMilli).toBe(0)
  })

  it('is reported when the kernel keeps something else', () => {
    const { keeper } = keeperOn('v2-cgroupfs')
    keeper.setGrants([owner])
    keeper.watch('web', running)
    // Of the recorded tree the effective cores do not follow, as with a parent that does not have the core.
    expect(keeper.settleAll()).toEqual([
      expect.stringContaining('the kernel has the cores 0-1 instead of 1; see whether something else'),
    ])
    expect(() => keeper.settle('web')).toThrow(expect.objectContaining({ code: 'instance.grant-not-taken' }))
  })

  it('lifts all containers to the weight of the cores where cores are owned, never down', () => {
    const { tree, keeper } = keeperOn(layout)
    const file = layout === 'v1' ? 'cpu.shares' : 'cpu.weight'
    keeper.setGrants([instance('web')])
    keeper.watch('web', running)
    expect(tree.readParent(file)).toBe(layout === 'v1' ? '1024\n' : '100\n')
    keeper.setGrants([owner])
    keeper.watch('web', running)
    expect(tree.readParent(file)).toBe(layout === 'v1' ? '4096' : '400')
    keeper.cgroupOf('web')?.parents[0]?.setShares(65_536)
    keeper.watch('web', running)
    expect(keeper.cgroupOf('web')?.parents[0]?.shares()).toBe(65_536)
  })

  it('refuses memory below what is used', () => {
    const { keeper } = keeperOn(layout)
    keeper.setGrants([instance('web')])
    keeper.watch('web', running)
    expect(keeper.memoryRefusal('web', 96 * mebibyte)).toBeUndefined()
    expect(keeper.memoryRefusal('web', 0)).toBeUndefined()
    expect(keeper.memoryRefusal('web', 64 * mebibyte)).toMatchObject({
      code: 'instance.memory-in-use',
      message: expect.stringContaining('lower the memory of web to 64 MiB: it uses 96 MiB now'),
    })
    expect(keeper.memoryRefusal('other', 1)).toBeUndefined()
  })
})

describe('a weight that is regulated', () => {
  it.each([
    ['v1', 'a regulated one stays', '1500', 1500],
    ['v1', 'one far off is set', '9', 1229],
    ['v2-cgroupfs', 'a regulated one stays', '150', 1536],
    ['v2-cgroupfs', 'what a runtime has made of the shares is set', '47', 1229],
  ] as const)('%s: %s', (layout, _, text, expected) => {
    const { tree, keeper } = keeperOn(layout, [0, 1])
    tree.set(layout === 'v1' ? 'cpu.shares' : 'cpu.weight', `${text}\n`)
    keeper.setGrants([instance('web', { cores: '0,1:200' }), instance('db', { cores: '1:800' })])
    keeper.watch('web', running)
    expect(keeper.cgroupOf('web')?.settings().shares).toBe(expected)
  })
})

describe('shared cores', () => {
  it('are those of which several that run have fragments; what is oversold is guaranteed in part', () => {
    const { keeper } = keeperOn('v1')
    keeper.setGrants([
      instance('a', { cores: '0,1:600' }),
      instance('b', { cores: '1:600' }),
      instance('c', { cores: '1:300' }),
      instance('d', { cores: '2:300' }),
    ])
    for (const name of ['a', 'b', 'd']) keeper.watch(name, running)
    const shared = keeper
      .sharedCores()
      .map(({ core, fragments }) => [core, fragments.map(({ cgroup: _, ...fragment }) => fragment)])
    expect(shared).toEqual([
      [
        1,
        [
          { instance: 'a', promisedMilli: 1400, fragmentMilli: 400 },
          { instance: 'b', promisedMilli: 400, fragmentMilli: 400 },
        ],
      ],
    ])
    keeper.forget('b')
    expect(keeper.sharedCores()).toEqual([])
  })
})

it('cores that the node does not have are refused, unless it does not know its cores', () => {
  expect(() => keeperOn('v1').keeper.check(instance('web', { cores: '0,9:300' }))).toThrow(
    expect.objectContaining({
      code: 'instance.cores-missing',
      message: expect.stringContaining('this node has 0-3 only'),
    }),
  )
  expect(() => keeperOn('v1', []).keeper.check(instance('web', { cores: '0,9:300' }))).not.toThrow()
})
