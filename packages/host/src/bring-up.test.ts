import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runsAnotherProgram } from './bring-up.ts'
import { findProgram } from './requirements.ts'

let dir: string
let child: ChildProcess | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-bring-up-'))
})
afterEach(() => {
  child?.kill('SIGKILL')
  child = undefined
  rmSync(dir, { recursive: true })
})

async function startCopy(): Promise<{ readonly path: string; readonly pid: number }> {
  const path = join(dir, 'program')
  copyFileSync(findProgram('sleep') ?? '', path)
  child = spawn(path, ['60'], { argv0: 'sleep' })
  await once(child, 'spawn')
  return { path, pid: child.pid ?? 0 }
}

describe('a running program', () => {
  it('is the one of that name', async () => {
    const { path, pid } = await startCopy()
    expect(runsAnotherProgram(pid, path)).toBe(false)
  })

  it('is another once its file was replaced', async () => {
    const { path, pid } = await startCopy()
    copyFileSync(path, `${path}.new`)
    renameSync(`${path}.new`, path)
    expect(runsAnotherProgram(pid, path)).toBe(true)
  })

  it('is another than one that lies at another place', async () => {
    const { path, pid } = await startCopy()
    copyFileSync(path, `${path}-2`)
    expect(runsAnotherProgram(pid, `${path}-2`)).toBe(true)
  })

  it('is none when the process is gone', () => {
    expect(runsAnotherProgram(2 ** 22, process.execPath)).toBe(false)
  })
})
