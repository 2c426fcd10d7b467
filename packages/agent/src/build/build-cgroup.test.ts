import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findCpuHierarchy, prepareBuildCgroup } from './build-cgroup.ts'

const log = pino({ level: 'silent' })
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-cgroup-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** Folders stand in for a mounted hierarchy; its control files are there as soon as the group is. */
function hierarchy(line: string, ...controls: string[]): string {
  const group = join(dir, 'berth-builds')
  mkdirSync(group)
  for (const control of controls) writeFileSync(join(group, control), '0')
  const mountinfo = join(dir, 'mountinfo')
  writeFileSync(mountinfo, `${line.replace('DIR', dir)}\n`)
  return mountinfo
}
const read = (control: string) => readFileSync(join(dir, 'berth-builds', control), 'utf8')
const version1 = '30 24 0:26 / DIR rw,relatime - cgroup cgroup rw,cpu,cpuacct'
const version2 = '30 24 0:26 / DIR rw,relatime - cgroup2 cgroup2 rw'

describe('the cgroup of builds', () => {
  test.each([
    ['version 1', version1, ['cpu.shares'], { 'cpu.shares': '100' }],
    ['version 2', version2, ['cpu.weight'], { 'cpu.weight': '10' }],
  ])('%s', async (_, line, controls, expected) => {
    const mountinfo = hierarchy(line, ...controls)
    expect(await prepareBuildCgroup({ CgroupDriver: 'cgroupfs' }, log, mountinfo)).toBe('/berth-builds')
    for (const [control, value] of Object.entries(expected)) expect(read(control)).toBe(value)
  })

  test('none of its own with systemd, and none without a cpu controller', async () => {
    const mountinfo = hierarchy('30 24 0:26 / DIR rw - cgroup cgroup rw,memory', 'cpu.shares')
    expect(await prepareBuildCgroup({ CgroupDriver: 'systemd' }, log, mountinfo)).toBeUndefined()
    expect(await prepareBuildCgroup({ CgroupDriver: 'cgroupfs' }, log, mountinfo)).toBeUndefined()
    expect(read('cpu.shares')).toBe('0')
  })

  test('a hierarchy that cannot be written is done without', async () => {
    const file = join(dir, 'file')
    const mountinfo = join(dir, 'mountinfo')
    writeFileSync(file, '')
    writeFileSync(mountinfo, version1.replace('DIR', file))
    expect(await prepareBuildCgroup({ CgroupDriver: 'cgroupfs' }, log, mountinfo)).toBeUndefined()
  })

  test('a machine with both versions has its cpu controller in the first', () => {
    const both = `${version2.replace('DIR', '/sys/fs/cgroup/unified')}\n${version1.replace('DIR', '/sys/fs/cgroup/cpu,cpuacct')}`
    expect(findCpuHierarchy(both)).toEqual({ path: '/sys/fs/cgroup/cpu,cpuacct', version: 1 })
    expect(findCpuHierarchy('')).toBeUndefined()
  })
})
