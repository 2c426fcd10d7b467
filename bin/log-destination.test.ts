import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { logDestination } from './log-destination.ts'

describe('a log on a full disk', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-log-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory])
  })
  afterEach(() => {
    execFileSync('umount', [directory])
    rmdirSync(directory)
  })

  it('loses lines, never the process, and says so when there is room again', () => {
    const filler = join(directory, 'filler')
    const file = join(directory, 'server.log')
    const fd = openSync(file, 'a')
    const log = logDestination(fd)
    log.write('first\n')
    const fillerFd = openSync(filler, 'a')
    const other = logDestination(fillerFd)
    for (let at = 0; at < 32; at += 1) other.write(`${'x'.repeat(4095)}\n`)
    const page = `${'y'.repeat(4095)}\n`
    log.write(page)
    log.write('lost too\n')
    closeSync(fillerFd)
    rmSync(filler)
    log.write('last\n')
    closeSync(fd)
    const lines = readFileSync(file, 'utf8').split('\n')
    expect(lines[0]).toBe('first')
    expect(lines.at(-2)).toBe('last')
    expect(JSON.parse(lines.at(-3) ?? '')).toMatchObject({
      level: 40,
      msg: expect.stringMatching(/^\d log lines are lost: ENOSPC/),
    })
  })
})
