import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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
