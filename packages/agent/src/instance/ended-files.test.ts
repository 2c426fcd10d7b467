import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EndedFiles } from './ended-files.ts'

const dayMs = 86_400_000
const signal = new AbortController().signal
let directory: string
let persistDir: string
let now: number
let freeShare: number
let ended: EndedFiles

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-ended-'))
  persistDir = join(directory, 'persist')
  now = Date.parse('2026-01-02T03:04:05Z')
  freeShare = 0.5
  ended = new EndedFiles({
    persistDir,
    keepMs: 7 * dayMs,
    log: pino({ level: 'silent' }),
    freeShare: async () => freeShare,
    now: () => now,
  })
})
afterEach(() => rmSync(directory, { recursive: true }))

/** An instance's directory with a file in it. */
function leave(name: string, content = 'x'): string {
  const path = join(persistDir, 'shop/production', name)
  mkdirSync(join(path, 'logs'), { recursive: true })
  if (content !== '') writeFileSync(join(path, 'data'), content)
  return path
}
const kept = (): string[] => {
  const path = join(persistDir, '.ended/shop/production')
  return existsSync(path) ? readdirSync(path).sort() : []
}

describe('what an instance left in /persist', () => {
  it('is set aside under the time of its end, so that the next of its name finds nothing', async () => {
    const path = leave('web-1', 'of the first')
    await ended.setAside(path)
    expect(existsSync(path)).toBe(false)
    leave('web-1', 'of the second')
    await ended.setAside(path)
    await ended.setAside(path)
    expect(kept()).toEqual(['web-1@20260102T030405Z', 'web-1@20260102T030405Z.2'])
    expect(readFileSync(join(ended.directory, 'shop/production/web-1@20260102T030405Z/data'), 'utf8')).toBe(
      'of the first',
    )
  })

  it('is not kept when it is nothing', async () => {
    await ended.setAside(leave('web-1', ''))
    expect(kept()).toEqual([])
    expect(existsSync(join(persistDir, 'shop/production/web-1'))).toBe(false)
  })

  it('is removed after its time, with folders that are empty then', async () => {
    await ended.setAside(leave('web-1'))
    now += 4 * dayMs
    await ended.setAside(leave('web-2'))
    now += 4 * dayMs
    await ended.collect(signal)
    expect(kept()).toEqual(['web-2@20260106T030405Z'])
    now += 4 * dayMs
    await ended.collect(signal)
    expect(readdirSync(ended.directory)).toEqual([])
  })

  it('goes before its time when the disk is nearly full, the oldest first, and no more than is needed', async () => {
    for (const name of ['web-1', 'web-2', 'web-3']) {
      await ended.setAside(leave(name))
      now += 1000
    }
    const shares = [0.01, 0.2, 0.2]
    const tight = new EndedFiles({
      persistDir,
      keepMs: 7 * dayMs,
      log: pino({ level: 'silent' }),
      freeShare: async () => shares.shift() ?? 1,
      now: () => now,
    })
    await tight.collect(signal)
    expect(kept()).toEqual(['web-2@20260102T030406Z', 'web-3@20260102T030407Z'])
  })

  it('leads nowhere: a link in it is removed, and what it points to stays', async () => {
    const outside = join(directory, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), 'x')
    const path = leave('web-1')
    symlinkSync(outside, join(path, 'link'))
    await ended.setAside(path)
    now += 8 * dayMs
    await ended.collect(signal)
    expect(kept()).toEqual([])
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('x')
  })

  it('is found when nobody remembers the instance, and left alone when somebody does', async () => {
    const known = leave('web-1')
    leave('web-2')
    await ended.adopt((path) => path === known)
    expect(kept()).toEqual(['web-2@20260102T030405Z'])
    expect(existsSync(known)).toBe(true)
    await ended.adopt((path) => path === known)
    expect(kept()).toHaveLength(1)
  })

  it('is left where something else lies among it', async () => {
    mkdirSync(join(ended.directory, 'shop/production/by-hand'), { recursive: true })
    freeShare = 0
    await ended.collect(signal)
    expect(kept()).toEqual(['by-hand'])
  })
})
