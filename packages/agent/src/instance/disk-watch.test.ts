import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { measureDirectories } from './disk-usage.ts'
import { type DiskSubject, DiskWatch } from './disk-watch.ts'

const signal = new AbortController().signal
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-disk-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const fill = (name: string, bytes: number): string => {
  const path = join(directory, name)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'data'), Buffer.alloc(bytes, 1))
  return path
}

describe('measureDirectories', () => {
  it('tells what each occupies: blocks, hard links once, nothing behind links or mounts', async () => {
    const [one, other] = [fill('one', 1_000_000), fill('with \'odd" $names', 2_000_000)]
    linkSync(join(one, 'data'), join(one, 'again'))
    symlinkSync(other, join(one, 'link'))
    const mount = join(one, 'mount')
    mkdirSync(mount)
    execFileSync('mount', ['-t', 'tmpfs', 'berth-disk', mount])
    try {
      writeFileSync(join(mount, 'data'), Buffer.alloc(5_000_000, 1))
      const usage = await measureDirectories([one, other, join(directory, 'gone')])
      expect([...usage.keys()]).toEqual([one, other])
      expect(usage.get(one)).toBeGreaterThanOrEqual(1_000_000)
      expect(usage.get(one)).toBeLessThan(1_100_000)
      expect(usage.get(other)).toBeGreaterThanOrEqual(2_000_000)
    } finally {
      execFileSync('umount', [mount])
    }
  })

  it('starts nothing when there is nothing to measure', async () => {
    const exec = () => Promise.reject(new Error('was started'))
    expect(await measureDirectories([], { exec })).toEqual(new Map())
  })
})

describe('DiskWatch', () => {
  const subject = (number: number): DiskSubject => ({
    instance: `web-${number}`,
    containerId: `c${number}`,
    startedAt: number,
    persist: `/persist/${number}`,
  })

  function watch(subjects: () => readonly DiskSubject[], tookMs = 0) {
    const seen = { asked: [] as string[], measured: [] as string[][], used: [] as [string, number][] }
    const disk = new DiskWatch({
      subjects,
      placesOf: async (id) => {
        seen.asked.push(id)
        const logDirectory = `/log/${id}`
        if (id === 'c8') return { logDirectory }
        return id === 'c9' ? undefined : { layerDirectory: `/layer/${id}`, logDirectory }
      },
      layerBytesOf: async () => 1_000,
      measure: async (paths) => {
        seen.measured.push([...paths])
        await new Promise((resolve) => setTimeout(resolve, tookMs))
        return new Map(paths.map((path) => [path, path.startsWith('/layer') ? 100 : 10]))
      },
      onUsed: ({ instance }, bytes) => seen.used.push([instance, bytes]),
      intervalMs: 50,
      maxShare: 0.02,
    })
    return { disk, seen }
  }

  it('adds up layer, log and /persist of each, by one measurement', async () => {
    const { disk, seen } = watch(() => [subject(1), subject(2), subject(8), subject(9)])
    await disk.look(signal)
    expect(seen.measured).toHaveLength(1)
    expect(seen.used).toEqual([
      ['web-1', 120],
      ['web-2', 120],
      // Whose layer only the engine can find.
      ['web-8', 1_020],
    ])
  })

  it('asks the engine once a container, and forgets those that are gone', async () => {
    let subjects = [subject(1)]
    const { disk, seen } = watch(() => subjects)
    await disk.look(signal)
    await disk.look(signal)
    subjects = []
    await disk.look(signal)
    subjects = [subject(1)]
    await disk.look(signal)
    expect(seen.asked).toEqual(['c1', 'c1'])
  })

  it('looks more rarely the longer a look takes', async () => {
    const { disk } = watch(() => [subject(1)], 20)
    expect(disk.pauseMs).toBe(50)
    await disk.look(signal)
    expect(disk.pauseMs).toBeGreaterThanOrEqual(900)
  })
})
