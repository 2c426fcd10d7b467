import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CgroupTreeFiles, type TreeLayout, treeLayouts } from './cgroup-tree.testing.ts'
import { openCgroup } from './container-cgroup.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroup-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const isUnified = (layout: TreeLayout): boolean => layout.startsWith('v2')
const open = (layout: TreeLayout) => {
  const tree = new CgroupTreeFiles(root, layout)
  return { tree, cgroup: openCgroup(tree.roots, 42) }
}

describe.each(treeLayouts)('a container’s cgroup in the layout %s', (layout) => {
  it('says what is in force', () => {
    const { cgroup } = open(layout)
    expect(cgroup.settings()).toEqual({
      cpuset: '0-1',
      shares: 1024,
      quotaMilli: 1300,
      carryMilli: 0,
      memoryBytes: 268_435_456,
    })
    expect(cgroup.memoryInUse()).toBe(100_000_000)
  })

  it('takes cores, weight and limit', () => {
    const { tree, cgroup } = open(layout)
    cgroup.write({ cpuset: '1', shares: 2253, quotaMilli: 2200 })
    expect(tree.read('cpuset.cpus', 'cpuset')).toBe('1')
    if (isUnified(layout)) {
      expect(tree.read('cpu.weight')).toBe('220')
      expect(tree.read('cpu.max')).toBe('220000 100000')
    } else {
      expect(tree.read('cpu.shares')).toBe('2253')
      expect(tree.read('cpu.cfs_quota_us')).toBe('220000')
    }
    expect(cgroup.settings().shares).toBe(cgroup.taken(2253))
    expect(cgroup.settings().quotaMilli).toBe(2200)
    cgroup.write({ carryMilli: 2200 })
    expect(tree.read(isUnified(layout) ? 'cpu.max.burst' : 'cpu.cfs_burst_us')).toBe('220000')
    cgroup.write({ quotaMilli: 0 })
    expect(cgroup.settings()).toMatchObject({ quotaMilli: 0, carryMilli: 0 })
  })

  it('has no limit where none is set', () => {
    const { tree, cgroup } = open(layout)
    if (isUnified(layout)) {
      tree.set('cpu.max', 'max 100000\n')
      tree.set('memory.max', 'max\n')
    } else {
      tree.set('cpu.cfs_quota_us', '-1\n')
      tree.set('memory.limit_in_bytes', '9223372036854771712\n', 'memory')
    }
    expect(cgroup.settings()).toMatchObject({ quotaMilli: 0, memoryBytes: 0 })
  })

  it('says what was used and what was waited', () => {
    const tree = new CgroupTreeFiles(root, layout)
    tree.setPressureUs(1_000_000)
    const cgroup = openCgroup(tree.roots, 42)
    tree.setUsage(2_500_000)
    tree.setPressureUs(1_250_000)
    expect(cgroup.use()).toEqual({ usedNs: 2.5e9, waitedNs: layout === 'v1' ? 0 : 1.25e9 })
  })

  it('weighs, with all others, as much as it is told, but a slice of the system’s is left alone', () => {
    const { tree, cgroup } = open(layout)
    if (layout === 'v2-systemd') {
      expect(cgroup.parents).toEqual([])
      return
    }
    expect(cgroup.parents.map(({ path }) => path)).toEqual(['/docker'])
    cgroup.parents[0]?.setShares(8192)
    expect(tree.readParent(isUnified(layout) ? 'cpu.weight' : 'cpu.shares')).toBe(isUnified(layout) ? '800' : '8192')
    expect(cgroup.parents[0]?.shares()).toBe(8192)
  })

  it('is not there when its process is gone', () => {
    const { tree } = open(layout)
    expect(() => openCgroup(tree.roots, 43)).toThrow()
  })
})

describe.each(['v1', 'v2-cgroupfs'] as const)(
  'waiting times of threads where the kernel counts no pressure (%s)',
  (layout) => {
    it('are added up, from when each was first seen', () => {
      const { tree, cgroup } = open(layout)
      const waited = () => cgroup.use().waitedNs
      tree.setThreads(42, 43)
      tree.setThread(42, 1_000)
      tree.setThread(43, 5_000)
      expect(waited()).toBe(0)
      tree.setThread(42, 1_700)
      tree.setThread(43, 5_100)
      expect(waited()).toBe(800)
      tree.setThreads(42, 44)
      tree.setThread(44, 9_000)
      tree.setThread(42, 1_900)
      expect(waited()).toBe(1_000)
      tree.setThread(44, 9_500)
      expect(waited()).toBe(1_500)
    })

    it('are those of the first threads only where there are very many', () => {
      const { tree, cgroup } = open(layout)
      const threads = Array.from({ length: 100 }, (_, index) => 1000 + index)
      tree.setThreads(...threads)
      for (const thread of threads) tree.setThread(thread, 0)
      cgroup.use()
      for (const thread of threads) tree.setThread(thread, 10)
      expect(cgroup.use().waitedNs).toBe(640)
    })
  },
)
