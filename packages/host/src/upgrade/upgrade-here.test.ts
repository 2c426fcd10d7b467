import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hostPaths } from '../host-paths.ts'
import { upgradeHere } from './upgrade-here.ts'

let dir: string
let program: string
let restarts: string[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-upgrade-here-'))
  program = join(dir, 'berth')
  restarts = []
  mkdirSync(join(dir, 'agent'))
  mkdirSync(join(dir, 'logs'))
  writeFileSync(program, 'old')
  writeFileSync(`${program}.new`, 'new')
  const note = { state: 'prepared', from: '0.1.0', to: '0.1.1', sha256: '', at: Date.now() }
  writeFileSync(join(dir, 'agent', 'upgrade.json'), JSON.stringify(note))
})
afterEach(() => rmSync(dir, { recursive: true }))

const run = (onRestart: () => void, over: object = {}) =>
  upgradeHere({
    ...{ paths: hostPaths(dir, join(dir, 'run')), program, log: () => undefined, healthyWithinMs: 600, steadyMs: 150 },
    restart: async () => {
      restarts.push(readFileSync(program, 'utf8'))
      onRestart()
    },
    settle: async () => void restarts.push('settled'),
    signal: AbortSignal.timeout(30_000),
    ...over,
  })
const heard = (version: string, pid = process.pid, at = Date.now()) =>
  writeFileSync(join(dir, 'agent', 'linked.json'), JSON.stringify({ version, pid, at }))
const noted = () => JSON.parse(readFileSync(join(dir, 'agent', 'upgrade.json'), 'utf8'))

describe('another executable', () => {
  it('stays when its agent is heard of and keeps running; the old one is kept', async () => {
    expect(await run(() => heard('0.1.1'))).toMatchObject({ state: 'done', to: '0.1.1' })
    expect(restarts).toEqual(['new', 'settled'])
    expect(readFileSync(program, 'utf8')).toBe('new')
    expect(readFileSync(`${program}.old`, 'utf8')).toBe('old')
    expect(noted()).toMatchObject({ state: 'done' })
  })

  it.each<[string, () => void, RegExp]>([
    ['no server hears of it', () => undefined, /no server has heard of it within 0\.6 s/],
    ['it is the old one that is heard of', () => heard('0.1.0'), /no server has heard of it/],
    ['it was heard of before', () => heard('0.1.1', process.pid, 1), /no server has heard of it/],
    ['it does not stay up', () => heard('0.1.1', 2 ** 22 + 1), /it did not stay up/],
    [
      'it cannot be started',
      () => {
        if (readFileSync(program, 'utf8') === 'new') throw new Error('systemctl restart: failed')
      },
      /systemctl restart: failed/,
    ],
  ])('goes, and the old one comes back, when %s', async (_, onRestart, why) => {
    writeFileSync(join(dir, 'logs', 'agent.log'), 'one\nits last line\n')
    const ended = await run(onRestart)
    expect(ended).toMatchObject({ state: 'rolled-back', why: expect.stringMatching(why) })
    expect(restarts).toEqual(['new', 'old'])
    expect(readFileSync(program, 'utf8')).toBe('old')
    expect(noted()).toMatchObject({ state: 'rolled-back', from: '0.1.0' })
  })

  it('is told by what the new agent said, not by what was in the log before', async () => {
    const log = join(dir, 'logs', 'agent.log')
    writeFileSync(log, 'Error: of yesterday\n')
    const silent = await run(() => undefined)
    expect(silent.why).toMatch(/within 0\.6 s$/)
    writeFileSync(`${program}.new`, 'new')
    const ended = await run(() => appendFileSync(log, 'source\n^\nError: broken\n    at x\n\nNode.js v26.10.0\n'))
    expect(ended.why).toMatch(/within 0\.6 s; its last words: Error: broken$/)
  })

  it('may be tried again after it was rolled back', async () => {
    await run(() => undefined)
    writeFileSync(`${program}.new`, 'new')
    expect(await run(() => heard('0.1.1'))).toMatchObject({ state: 'done' })
  })
})
