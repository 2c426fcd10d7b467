import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rotateLogs } from './persist-logs.ts'

const limits = { maxBytes: 10, maxFiles: 3 }
let directory: string
let logs: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-logs-'))
  logs = join(directory, 'logs')
  mkdirSync(logs)
})
afterEach(() => rmSync(directory, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(logs, name), text)
const read = (name: string): string => readFileSync(join(logs, name), 'utf8')

describe('rotateLogs', () => {
  it('leaves a short file alone', async () => {
    write('app.log', '0123456789')
    expect(await rotateLogs(logs, limits)).toEqual([])
    expect(read('app.log')).toBe('0123456789')
  })

  it('moves long ones aside, and keeps as many as it may', async () => {
    for (const text of ['first run…', 'second run…', 'third run…', 'fourth run…']) {
      write('app.log', text)
      expect(await rotateLogs(logs, limits)).toEqual(['app.log'])
    }
    expect(readdirSync(logs).sort()).toEqual(['app.log', 'app.log.1', 'app.log.2'])
    expect([read('app.log'), read('app.log.1'), read('app.log.2')]).toEqual(['', 'fourth run…', 'third run…'])
  })

  it('cuts in place where only one file is kept', async () => {
    write('app.log', 'more than ten bytes')
    await rotateLogs(logs, { maxBytes: 10, maxFiles: 1 })
    expect(readdirSync(logs)).toEqual(['app.log'])
    expect(read('app.log')).toBe('')
  })

  it('loses nothing that is written while it copies', async () => {
    const path = join(logs, 'app.log')
    const writer = openSync(path, 'a')
    writeSync(writer, 'first\n'.padStart(32 * 2 ** 20, '.'))
    const written: string[] = []
    const timer = setInterval(() => {
      written.push(`line ${written.length}\n`)
      writeSync(writer, written.at(-1) ?? '')
    }, 0)
    await rotateLogs(logs, { maxBytes: 2 ** 20, maxFiles: 64 })
    clearInterval(timer)
    closeSync(writer)
    expect(written.length).toBeGreaterThan(0)
    const after = read('app.log.1').slice(32 * 2 ** 20) + read('app.log')
    expect(after).toBe(written.join(''))
  })

  it('keeps no more than its limits of a file that grew without bound', async () => {
    write('app.log', `${'.'.repeat(100)}${'x'.repeat(20)}`)
    await rotateLogs(logs, limits)
    expect(read('app.log.1')).toBe('x'.repeat(20))
  })

  it('takes what a writer that does not append leaves out for nothing', async () => {
    const path = join(logs, 'app.log')
    const writer = openSync(path, 'w')
    const blocks = { maxBytes: 16_384, maxFiles: 3 }
    writeSync(writer, 'a'.repeat(32_768))
    expect(await rotateLogs(logs, blocks)).toEqual(['app.log'])
    writeSync(writer, 'b'.repeat(100))
    expect(statSync(path).size).toBe(32_868)
    expect(await rotateLogs(logs, blocks)).toEqual([])
    writeSync(writer, 'b'.repeat(32_668))
    expect(await rotateLogs(logs, blocks)).toEqual(['app.log'])
    closeSync(writer)
    expect(read('app.log.1')).toMatch(/^\0*b{32768}$/)
    expect(read('app.log.1').length).toBeLessThan(32_768 + 3 * 4096)
    expect(read('app.log.2')).toBe('a'.repeat(32_768))
  })

  it('cuts without a copy where there is no room for one', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'berth-logs', logs])
    try {
      write('app.log', 'x'.repeat(48 * 1024))
      await expect(rotateLogs(logs, { maxBytes: 1024, maxFiles: 64 })).rejects.toThrow('ENOSPC')
      expect(readdirSync(logs)).toEqual(['app.log'])
      expect(read('app.log')).toBe('')
    } finally {
      execFileSync('umount', [logs])
    }
  })

  it('follows no link, neither as a file nor as the directory, and waits for no pipe', async () => {
    const outside = join(directory, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'shadow'), 'more than ten bytes')
    symlinkSync(join(outside, 'shadow'), join(logs, 'app.log'))
    execFileSync('mkfifo', [join(logs, 'pipe')])
    mkdirSync(join(logs, 'folder'))
    write('real.log', 'more than ten bytes')
    symlinkSync(join(outside, 'target'), join(logs, 'real.log.1'))
    expect(await rotateLogs(logs, limits)).toEqual(['real.log'])
    symlinkSync(outside, join(directory, 'linked'))
    expect(await rotateLogs(join(directory, 'linked'), limits)).toEqual([])
    expect(await rotateLogs(join(directory, 'nothing'), limits)).toEqual([])
    expect(readdirSync(outside)).toEqual(['shadow'])
    expect(readFileSync(join(outside, 'shadow'), 'utf8')).toBe('more than ten bytes')
  })
})
