import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type BuildCgroup,
  findHierarchy,
  prepareBuildCgroup,
  removeBuildCgroup,
  yieldToOthers,
} from './build-cgroup.ts'

const log = pino({ level: 'silent' })
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-cgroup-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** Folders stand in for a mounted hierarchy; its control files are there as soon as the group is. */
function hierarchy(line: string, controls: Readonly<Record<string, string>>): string {
  const group = join(dir, 'berth-builds')
  mkdirSync(group)
  for (const [control, text] of Object.entries(controls)) writeFileSync(join(group, control), text)
  const mountinfo = join(dir, 'mountinfo')
  writeFileSync(mountinfo, `${line.replace('DIR', dir)}\n`)
  return mountinfo
}
const read = (control: string) => readFileSync(join(dir, 'berth-builds', control), 'utf8')
const version1 = '30 24 0:26 / DIR rw,relatime - cgroup cgroup rw,cpu,cpuacct'
const version2 = '30 24 0:26 / DIR rw,relatime - cgroup2 cgroup2 rw'
const cgroupfs = { CgroupDriver: 'cgroupfs' }

describe('the cgroup of builds', () => {
  test.each([
    ['version 1', version1, { 'cpu.shares': '1024', 'cpuacct.usage': '2500000000\n' }, 'cpu.shares', '100'],
    [
      'version 2',
      version2,
      { 'cpu.weight': '100', 'cpu.stat': 'usage_usec 2500000\nuser_usec 1\n' },
      'cpu.weight',
      '10',
    ],
  ])('of %s has a small weight, and its CPU time is known', async (_, line, controls, control, weight) => {
    const cgroup = await prepareBuildCgroup(cgroupfs, log, hierarchy(line, { ...controls, 'cpu.idle': '1' }))
    expect(read(control)).toBe(weight)
    expect(read('cpu.idle')).toBe('0')
    expect(await cgroup?.cpuTimeMs()).toBe(2500)
    expect(await cgroup?.setIdle(true)).toBe(true)
    expect(read('cpu.idle')).toBe('1')
  })

  test('on an old kernel has a weight only', async () => {
    const cgroup = await prepareBuildCgroup(cgroupfs, log, hierarchy(version1, { 'cpu.shares': '1024' }))
    expect(await cgroup?.setIdle(true)).toBe(false)
    expect(read('cpu.shares')).toBe('100')
  })

  test('is none with systemd, and none without a cpu controller', async () => {
    const mountinfo = hierarchy('30 24 0:26 / DIR rw - cgroup cgroup rw,memory', { 'cpu.shares': '0' })
    expect(await prepareBuildCgroup({ CgroupDriver: 'systemd' }, log, mountinfo)).toBeUndefined()
    expect(await prepareBuildCgroup(cgroupfs, log, mountinfo)).toBeUndefined()
    expect(read('cpu.shares')).toBe('0')
  })

  test('is done without where the hierarchy cannot be written', async () => {
    const file = join(dir, 'file')
    const mountinfo = join(dir, 'mountinfo')
    writeFileSync(file, '')
    writeFileSync(mountinfo, version1.replace('DIR', file))
    expect(await prepareBuildCgroup(cgroupfs, log, mountinfo)).toBeUndefined()
  })

  test('a machine with both versions has its controllers in the first', () => {
    const first = version1.replace('DIR', '/sys/fs/cgroup/cpu,cpuacct')
    const both = `${version2.replace('DIR', '/sys/fs/cgroup/unified')}\n${first}`
    expect(findHierarchy(both, 'cpu')).toEqual({ path: '/sys/fs/cgroup/cpu,cpuacct', version: 1 })
    expect(findHierarchy(both, 'cpuacct')).toEqual({ path: '/sys/fs/cgroup/cpu,cpuacct', version: 1 })
    expect(findHierarchy('', 'cpu')).toBeUndefined()
  })
})

describe('leaving the machine', () => {
  const lines = (...paths: string[]) =>
    paths.map((path, index) => `${index} 1 0:${index} / ${path} rw - cgroup cgroup rw`).join('\n')

  test('takes the cgroup out of every hierarchy, but not where something is in it', async () => {
    const [empty, used, without] = ['empty', 'used', 'without'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ]
    for (const path of [empty, used, without]) mkdirSync(path)
    mkdirSync(join(empty, 'berth-builds'))
    mkdirSync(join(used, 'berth-builds', 'container'), { recursive: true })
    const mountinfo = join(dir, 'mountinfo')
    writeFileSync(mountinfo, lines(empty, used, without))
    await removeBuildCgroup(mountinfo)
    expect(existsSync(join(empty, 'berth-builds'))).toBe(false)
    expect(existsSync(join(used, 'berth-builds', 'container'))).toBe(true)
  })
})

describe('yielding to others', () => {
  /** A cgroup whose CPU time grows by what the test says, look by look. */
  function pretended(growthMs: readonly number[], hasIdle = true) {
    const said: boolean[] = []
    const abort = new AbortController()
    let [time, look] = [0, -1]
    const cgroup: BuildCgroup = {
      cpuTimeMs: async () => {
        time += growthMs[look] ?? 0
        look += 1
        if (look >= growthMs.length) abort.abort()
        return time
      },
      setIdle: async (idle) => {
        said.push(idle)
        return hasIdle
      },
    }
    return { cgroup, said, signal: abort.signal }
  }

  test.each<[string, number[], boolean[]]>([
    ['a build that gets enough stays idle', [100, 100, 100, 100], [true]],
    [
      'one that starves gets its weight until it has moved',
      [100, 0, 0, 100, 100, 0, 100],
      [true, false, true, false, true],
    ],
    ['a little is not enough', [5, 5, 5], [true, false]],
  ])('%s', async (_, growth, expected) => {
    const { cgroup, said, signal } = pretended(growth)
    await yieldToOthers(cgroup, { signal, log, intervalMs: 100 })
    expect(said).toEqual(expected)
  })

  test('a kernel without idle groups is asked once', async () => {
    const { cgroup, said, signal } = pretended([0], false)
    await yieldToOthers(cgroup, { signal, log, intervalMs: 1 })
    expect(said).toEqual([true])
  })
})
